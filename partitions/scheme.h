// PartitionScheme: what a partition table gives, and the list of schemes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "disk/disk.h"

namespace vimg {

struct Partition {
  unsigned number;        // as the kernel numbers it: 1…; logical ones from 5
  std::uint64_t offset;   // bytes
  std::uint64_t length;   // bytes
  std::string type;       // "0x83" or a GUID in lower case
  std::string type_name;  // "Linux filesystem"; empty when unknown
  std::string label;      // GPT's name, UTF-8; empty where the scheme has none
  std::string uuid;       // PARTUUID as blkid shows it: a GUID, or "deadbeef-01"
  bool bootable = false;  // MBR's active flag, GPT's legacy BIOS attribute
};

struct PartitionTable {
  std::string scheme;                 // a scheme's name
  std::string uuid;                   // PTUUID: disk GUID or the MBR's signature in 8 hex digits
  std::uint32_t sector_size;          // bytes, as the table counts
  std::vector<Partition> partitions;  // in the order of their numbers
  std::vector<std::string> problems;  // what is wrong with it, in words, although it can be used
};

struct PartitionScheme {
  const char* name;  // as blkid's PTTYPE: "gpt", "dos"
  // The table, or nothing when `disk` holds no table of this scheme.
  // Throws Error(EUCLEAN) when it has one that cannot be used, and what read() throws.
  std::optional<PartitionTable> (*read)(const Disk& disk);
};

// In the order of detection: gpt before dos, as a GPT disk has a protective MBR.
std::span<const PartitionScheme* const> partition_schemes() noexcept;

// The first scheme's table, or nothing.  A broken table of one scheme does not hide a good one of
// a later scheme; if none is good its Error is thrown.
std::optional<PartitionTable> read_partition_table(const Disk& disk);

}  // namespace vimg
