// What lies in a VHD file.  Spec: Microsoft "Virtual Hard Disk Image Format Specification" 1.0;
// qemu block/vpc.c; libvhdi.  All integers are big-endian.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "disk/disk.h"

namespace vimg::vhd {

constexpr char layer[] = "vhd";
constexpr std::uint64_t sector = 512;
constexpr std::uint32_t type_fixed = 2;
constexpr std::uint32_t type_dynamic = 3;
constexpr std::uint32_t type_differencing = 4;
constexpr std::uint32_t format_version = 0x00010000;
constexpr std::uint32_t no_block = 0xffffffff;

using Id = std::array<std::uint8_t, 16>;

// "Hard Disk Footer Format": the file's last sector, and its first but in fixed disks.
struct Footer {
  std::array<char, 8> cookie;  // "conectix"
  be32 features;
  be32 version;
  be64 data_offset;  // of the dynamic header; all ones in fixed disks
  be32 time_stamp;   // seconds since 2000
  std::array<char, 4> creator;
  be32 creator_version;
  std::array<char, 4> creator_host;
  be64 original_size;  // bytes
  be64 current_size;   // bytes
  be16 cylinders;
  std::uint8_t heads;
  std::uint8_t track_sectors;
  be32 type;
  be32 checksum;
  Id id;
  std::uint8_t saved_state;
  std::array<std::byte, 427> reserved;
};
static_assert(sizeof(Footer) == 512 && OnDisk<Footer>);

// "Parent Locator Entries"
struct Locator {
  std::array<char, 4> platform;  // "W2ru", "W2ku", "MacX" …
  be32 space;                    // sectors, or bytes
  be32 length;                   // bytes
  be32 reserved;
  be64 offset;  // in the file
};
static_assert(sizeof(Locator) == 24 && OnDisk<Locator>);

// "Dynamic Disk Header Format"
struct DynamicHeader {
  std::array<char, 8> cookie;  // "cxsparse"
  be64 data_offset;
  be64 table_offset;
  be32 version;
  be32 table_entries;
  be32 block_size;
  be32 checksum;
  Id parent_id;
  be32 parent_time_stamp;
  be32 reserved;
  std::array<be16, 256> parent_name;
  std::array<Locator, 8> locators;
  std::array<std::byte, 256> reserved_end;
};
static_assert(sizeof(DynamicHeader) == 1024 && OnDisk<DynamicHeader>);

struct Header {
  Footer footer{};
  std::uint64_t size = 0;          // bytes, of the disk
  bool footer_is_missing = false;  // only its copy at the file's beginning is sound

  // Those below are for dynamic and differencing disks.
  DynamicHeader dynamic{};
  std::uint64_t table_offset = 0;
  std::uint64_t table_entries = 0;
  std::uint64_t block_size = 0;    // a power of two
  std::uint64_t bitmap_bytes = 0;  // before each block, whole sectors

  std::uint32_t type() const noexcept { return footer.type; }
  bool is_fixed() const noexcept { return type() == type_fixed; }
  // Bytes of the file that a block takes with its bitmap.
  std::uint64_t stride() const noexcept { return bitmap_bytes + block_size; }
  // Whether a block at `place` would lie over the footer's copy, the dynamic header or the table.
  bool meets_tables(std::uint64_t place) const noexcept;
  std::uint64_t entry_offset(std::uint64_t index) const noexcept {
    return table_offset + index * sizeof(be32);
  }
};

// The complement of the sum of all bytes but the checksum's own.
std::uint32_t checksum_of(Footer footer) noexcept;
std::uint32_t checksum_of(DynamicHeader header) noexcept;

// A footer or its copy, or what looks so much like one that nothing else could be meant.
bool has_footer(const Disk& file);
// Throws Error unless every field that later code relies on is in range.
Header read_header(const Disk& file);

}  // namespace vimg::vhd
