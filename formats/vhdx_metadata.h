// VHDX regions and metadata: where the tables are, and what the disk is like.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "disk/checked.h"
#include "disk/disk.h"
#include "formats/vhdx_layout.h"

namespace vimg::vhdx {

// Bytes of the file.
struct Region {
  std::uint64_t offset;
  std::uint64_t length;

  std::uint64_t end() const noexcept { return offset + length; }
};

// Validated: everything lies in the file, and nothing overlaps.
struct Layout {
  Region bat{};
  Region metadata{};
  std::vector<Region> occupied;  // headers, log and all regions, in the order of their offsets
  std::uint32_t block_size = 0;  // a power of two
  bool is_fixed = false;
  std::optional<Region> parent_locator;  // set in differencing files only
  std::uint64_t disk_size = 0;           // a multiple of sector_size
  std::uint32_t sector_size = 0;         // 512 or 4096
  std::uint32_t physical_sector_size = 0;
  Guid disk_id{};

  // Payload blocks whose sectors share one bitmap block; a power of two.
  std::uint64_t chunk_ratio() const noexcept {
    return sectors_per_bitmap * sector_size / block_size;
  }
  std::uint64_t block_count() const noexcept { return divide_up(disk_size, block_size); }
  // Where in the BAT the entry of a payload block is, and that of the bitmap block of a chunk.
  std::uint64_t payload_index(std::uint64_t block) const noexcept {
    return block + block / chunk_ratio();
  }
  std::uint64_t bitmap_index(std::uint64_t chunk) const noexcept {
    return (chunk + 1) * chunk_ratio() + chunk;
  }
  // Entries of the BAT that can be in use.
  std::uint64_t entry_count() const noexcept;
  bool is_occupied(std::uint64_t offset, std::uint64_t length) const noexcept;
};

// Region table `copy`, 0 or 1, when its signature, checksum and count are right.
std::optional<std::vector<RegionTableEntry>> read_region_table(const Disk& file, unsigned copy);

// `header` is validated, and its log has been replayed into `file`.
// Throws Error(EUCLEAN, EOPNOTSUPP).
Layout read_layout(const Disk& file, const Header& header);

}  // namespace vimg::vhdx
