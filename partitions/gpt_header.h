// GptCopy: one of the two copies of a GPT, read and checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "disk/disk.h"
#include "disk/guid.h"

namespace vimg {

// Spec: UEFI 2.10, section 5.3.2, table 5-5.  Offsets are in sectors ("LBA").
struct GptHeader {
  std::array<char, 8> signature;  // "EFI PART"
  le32 revision;
  le32 header_size;  // bytes that header_crc covers
  le32 header_crc;   // counted with this field zero
  le32 reserved;
  le64 my_lba;
  le64 alternate_lba;
  le64 first_usable_lba;
  le64 last_usable_lba;
  Guid disk_guid;
  le64 entries_lba;
  le32 entry_count;
  le32 entry_size;  // bytes
  le32 entries_crc;
};
static_assert(sizeof(GptHeader) == 92 && OnDisk<GptHeader>);

// Section 5.3.3, table 5-6.
struct GptEntry {
  Guid type;  // zero: unused
  Guid unique;
  le64 first_lba;
  le64 last_lba;  // of the partition, inclusive
  le64 attributes;
  std::array<le16, 36> name;  // UTF-16, ends at the first zero
};
static_assert(sizeof(GptEntry) == 128 && OnDisk<GptEntry>);

// What was found where a copy should be.
struct GptCopy {
  bool present = false;           // the signature is there
  std::string fault;              // why it cannot be used, in words; empty when it can
  std::optional<GptHeader> head;  // when its own CRC is right, though its entries may be damaged
  std::vector<GptEntry> entries;  // when it can be used

  bool usable() const noexcept { return present && fault.empty(); }
};

// The copy whose header is in sector `lba`.  Throws only what Disk::read throws.
GptCopy read_gpt_copy(const Disk& disk, std::uint32_t sector_size, std::uint64_t lba);

}  // namespace vimg
