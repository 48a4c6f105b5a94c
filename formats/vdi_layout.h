// What lies in a VDI file.  Spec: VirtualBox src/VBox/Storage/VDICore.h; qemu block/vdi.c.  All
// integers are little-endian.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "disk/disk.h"
#include "disk/guid.h"

namespace vimg::vdi {

constexpr char layer[] = "vdi";
constexpr std::uint32_t signature = 0xbeda107f;
constexpr std::uint64_t signature_offset = 0x40;
constexpr std::uint32_t version_1_1 = 0x00010001;
constexpr std::uint32_t type_dynamic = 1;
constexpr std::uint32_t type_static = 2;
constexpr std::uint32_t type_differencing = 4;
constexpr std::uint32_t entry_free = 0xffffffff;  // the parent's, or zeros
constexpr std::uint32_t entry_zero = 0xfffffffe;
constexpr std::uint64_t sector = 512;

struct RawHeader {
  std::array<char, 64> text;  // "<<< Oracle VM VirtualBox Disk Image >>>\n"
  le32 signature;
  le32 version;
  le32 header_size;  // bytes, from here on
  le32 type;
  le32 flags;
  std::array<char, 256> comment;
  le32 table_offset;  // bytes
  le32 data_offset;   // bytes
  le32 cylinders;
  le32 heads;
  le32 sectors;
  le32 sector_size;
  le32 unused;
  le64 disk_size;         // bytes
  le32 block_size;        // bytes
  le32 block_extra;       // bytes before each block
  le32 block_count;       // of the disk
  le32 blocks_allocated;  // in the file; the next block gets this number
  Guid id;
  Guid modification_id;  // changes whenever the content does
  Guid parent_id;
  Guid parent_modification_id;
};
static_assert(sizeof(RawHeader) == 0x1c8 && OnDisk<RawHeader>);

// VirtualBox before 1.1; the table follows, then the data.
struct RawHeader0 {
  std::array<char, 64> text;
  le32 signature;
  le32 version;  // 0.x
  le32 type;
  le32 flags;
  std::array<char, 256> comment;
  le32 cylinders;
  le32 heads;
  le32 sectors;
  le32 sector_size;
  le64 disk_size;   // bytes
  le32 block_size;  // bytes
  le32 block_count;
  le32 blocks_allocated;
  Guid id;
  Guid modification_id;
  Guid parent_id;
};
static_assert(sizeof(RawHeader0) == 0x1a4 && OnDisk<RawHeader0>);

struct Header {
  std::uint32_t type;
  std::uint64_t allocated_offset;     // in the file, of blocks_allocated
  std::uint64_t modification_offset;  // in the file, of modification_id
  std::uint64_t table_offset;
  std::uint64_t data_offset;
  std::uint64_t size;        // bytes, of the disk
  std::uint64_t block_size;  // a power of two
  std::uint64_t block_extra;
  std::uint64_t block_count;
  std::uint64_t blocks_allocated;
  Guid id;
  Guid modification_id;
  Guid parent_id;
  Guid parent_modification_id;  // zeros: not known

  // Bytes of the file that a block takes.
  std::uint64_t stride() const noexcept { return block_extra + block_size; }
  // Where the content of the file's block `number` begins.
  std::uint64_t place(std::uint64_t number) const noexcept {
    return data_offset + number * stride() + block_extra;
  }
  std::uint64_t entry_offset(std::uint64_t index) const noexcept {
    return table_offset + index * sizeof(le32);
  }
};

bool has_signature(const Disk& file);
// Throws Error unless every field that later code relies on is in range.
Header read_header(const Disk& file);

}  // namespace vimg::vdi
