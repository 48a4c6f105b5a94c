// VHDX images made by hand from [MS-VHDX], for what no tool at hand makes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "disk/disk.h"
#include "formats/driver.h"
#include "formats/vhdx_layout.h"
#include "tests/formats/test_context.h"

namespace vimg {
extern const FormatDriver vhdx_driver;
}

namespace vimg::test {

// The file is laid out as headers, log, metadata and BAT of 1 MiB each, then blocks.
constexpr std::uint64_t vhdx_log_at = 1U << 20;
constexpr std::uint64_t vhdx_metadata_at = 2U << 20;
constexpr std::uint64_t vhdx_bat_at = 3U << 20;
constexpr std::uint64_t vhdx_items_at = vhdx_metadata_at + (64U << 10);
constexpr Guid vhdx_test_guid{0x83ed00ec, 0x1234, 0x4567, {0x80, 1, 2, 3, 4, 5, 6, 7}};

struct VhdxLogWrite {
  std::uint64_t offset;            // in the file
  std::vector<std::byte> content;  // a sector; empty: zeros
  std::uint64_t zero_length = 0;   // bytes, when there is no content
};

class VhdxImage {
 public:
  struct Options {
    std::uint64_t disk_size = 4U << 20;
    std::uint32_t block_size = 1U << 20;
    std::uint32_t sector_size = 512;
    std::uint32_t parameter_flags = 0;
    // Key and value; none: no locator.
    std::vector<std::pair<std::u16string, std::u16string>> parent{};
  };

  VhdxImage() : VhdxImage(Options{}) {}
  explicit VhdxImage(const Options& options);

  // Appends `content`, filled up to a MiB, and gives its place in the file.
  std::uint64_t append(std::vector<std::byte> content);
  // Entry `index` of the BAT.
  void set_entry(std::uint64_t index, std::uint64_t place, unsigned state);
  // Block `block` of the first chunk, present, of `fill`; gives its place.
  std::uint64_t add_block(std::uint64_t block, std::byte fill);
  // The sector bitmap of the first chunk, in which the sectors [begin, end) of the disk are set.
  void set_bitmap(std::uint64_t begin, std::uint64_t end);

  // Both headers; then the checksums are right again.
  void change_headers(const std::function<void(vhdx::Header&)>& change);
  // Both region tables' entry `index`; the BAT is 0, the metadata 1.
  void change_region(std::size_t index, const std::function<void(vhdx::RegionTableEntry&)>& change);
  // The metadata table's entry `index`: file parameters, size, identifier, logical and physical
  // sector size, parent locator.
  void change_item(std::size_t index, const std::function<void(vhdx::MetadataTableEntry&)>& change);
  void add_region(const vhdx::RegionTableEntry& entry);
  void add_item(const vhdx::MetadataTableEntry& entry);
  void seal_region_tables();

  // Writes a log entry at `place` of the log, as one of the log `guid`; gives its length.
  std::uint64_t add_log_entry(std::uint64_t place, std::uint64_t tail, std::uint64_t sequence,
                              const std::vector<VhdxLogWrite>& writes,
                              const std::function<void(vhdx::LogEntryHeader&)>& change = {});
  // Marks the log as that of vhdx_test_guid.
  void begin_log();

  template <OnDisk T>
  T get(std::uint64_t offset) const {
    return load<T>(bytes, offset);
  }
  template <OnDisk T>
  void put(std::uint64_t offset, const T& value) {
    store(Bytes(bytes), offset, value);
  }

  std::vector<std::byte> bytes;

 private:
  void put_metadata(const Options& options);
  void put_parent_locator(const Options& options);
  std::uint64_t chunk_ratio_;
};

// A context whose directory holds what a test puts there.
DiskPtr open_vhdx(const std::vector<std::byte>& bytes, Access access = Access::read_only);

}  // namespace vimg::test
