// MbrSector: the layout that an MBR and an extended boot record share.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "disk/disk.h"

namespace vimg {

constexpr std::uint8_t mbr_type_gpt = 0xee;

// Sources: linux block/partitions/msdos.c, libblkid dos.c; there is no standard.
struct MbrEntry {
  std::uint8_t boot_flag;  // 0x80 active, 0 not; anything else is not a partition table
  std::array<std::uint8_t, 3> first_chs;
  std::uint8_t type;
  std::array<std::uint8_t, 3> last_chs;
  le32 start;  // sectors
  le32 count;  // sectors; 0: unused, whatever the type
};
static_assert(sizeof(MbrEntry) == 16 && OnDisk<MbrEntry>);

struct MbrSector {
  std::array<std::byte, 440> code;
  le32 disk_signature;
  le16 reserved;
  std::array<MbrEntry, 4> entries;
  le16 signature;  // 0xaa55
};
static_assert(sizeof(MbrSector) == 512 && OnDisk<MbrSector>);

// The sector at `offset` when it lies on the disk and ends with the signature.
std::optional<MbrSector> read_mbr_sector(const Disk& disk, std::uint64_t offset);

// Some entry, used or not, is GPT's protective one.
bool has_protective_entry(const MbrSector& sector) noexcept;

// True for types 0x05, 0x0f and 0x85.
bool is_extended(const MbrEntry& entry) noexcept;

// True when the sector begins a FAT, exFAT or NTFS volume: it ends with the signature too, and what
// is code there must not be read as partitions.
bool is_volume_boot_sector(const MbrSector& sector) noexcept;

}  // namespace vimg
