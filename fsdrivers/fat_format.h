// The on-disk structures of FAT12, FAT16 and FAT32, with VFAT's long names.
// Spec: Microsoft, "FAT: General Overview of On-Disk Format" 1.03; linux
// include/uapi/linux/msdos_fs.h.
#pragma once

#include <array>
#include <cstdint>

#include "disk/endian.h"

namespace vimg::fat {

constexpr std::uint32_t slot_size = 32;  // of a directory, in exFAT too

// "Boot Sector and BPB", then what FAT12 and FAT16 have after it.
struct BootSector {
  std::array<std::uint8_t, 3> jump;
  std::array<char, 8> system;
  le16 sector_size;
  std::uint8_t sectors_per_cluster;
  le16 reserved_sectors;
  std::uint8_t fat_count;
  le16 root_entries;       // 0 for FAT32
  le16 sectors16;          // 0: see sectors32
  std::uint8_t media;      // 0xf0, 0xf8…0xff
  le16 sectors_per_fat16;  // 0 for FAT32
  le16 sectors_per_track;
  le16 heads;
  le32 hidden_sectors;
  le32 sectors32;
};
static_assert(sizeof(BootSector) == 36 && OnDisk<BootSector>);

// What identifies the volume; at `tail_offset16` or `tail_offset32`.
struct BootTail {
  std::uint8_t drive;
  std::uint8_t state;      // bit 0: dirty
  std::uint8_t signature;  // 0x29: the fields below are there, 0x28: only the number
  le32 serial;
  std::array<char, 11> label;
  std::array<char, 8> type;
};
static_assert(sizeof(BootTail) == 26 && OnDisk<BootTail>);
constexpr std::uint32_t tail_offset16 = 36;
constexpr std::uint32_t tail_offset32 = 64;
constexpr std::uint8_t state_dirty = 1;

struct BootSector32 {
  le32 sectors_per_fat;
  le16 flags;  // bit 7: only the FAT in bits 0-3 is in use
  le16 version;
  le32 root_cluster;
  le16 info_sector;
  le16 backup_sector;
  std::array<std::uint8_t, 12> reserved;
};
static_assert(sizeof(BootSector32) == 28 && OnDisk<BootSector32>);

constexpr std::uint32_t boot_signature_offset = 510;
constexpr std::uint16_t boot_signature = 0xaa55;

// "FSInfo".
struct InfoSector {
  le32 signature1;  // 0x41615252
  std::array<std::uint8_t, 480> reserved1;
  le32 signature2;  // 0x61417272
  le32 free_count;  // 0xffffffff: unknown
  le32 next_free;
  std::array<std::uint8_t, 12> reserved2;
  le32 signature3;  // 0xaa550000
};
static_assert(sizeof(InfoSector) == 512 && OnDisk<InfoSector>);
constexpr std::uint32_t info_signature1 = 0x41615252;
constexpr std::uint32_t info_signature2 = 0x61417272;

// The bits of a file's attributes, in exFAT too.
constexpr std::uint16_t attribute_read_only = 0x01;
constexpr std::uint16_t attribute_volume = 0x08;
constexpr std::uint16_t attribute_directory = 0x10;
constexpr std::uint16_t attribute_archive = 0x20;
constexpr std::uint16_t attribute_long_name = 0x0f;
constexpr std::uint16_t attribute_long_name_mask = 0x3f;

// "FAT Directory Structure".
struct ShortRecord {
  std::array<char, 11> name;  // code page 437, padded with spaces; [0]: see below
  std::uint8_t attributes;
  std::uint8_t lower_case;    // bits 3 and 4: the base, the extension is in lower case
  std::uint8_t created_10ms;  // 0-199
  le16 created_time;
  le16 created_date;
  le16 accessed_date;
  le16 first_cluster_high;  // FAT32
  le16 modified_time;
  le16 modified_date;
  le16 first_cluster_low;
  le32 size;
};
static_assert(sizeof(ShortRecord) == slot_size && OnDisk<ShortRecord>);
constexpr std::uint8_t slot_end = 0x00;
constexpr std::uint8_t slot_deleted = 0xe5;
constexpr std::uint8_t slot_really_e5 = 0x05;
constexpr std::uint8_t lower_base = 0x08;
constexpr std::uint8_t lower_extension = 0x10;

// "Long Directory Entries".
struct LongRecord {
  std::uint8_t sequence;  // from 1; the first on disk is the last part and has bit 6
  std::array<le16, 5> name1;
  std::uint8_t attributes;  // attribute_long_name
  std::uint8_t type;        // 0
  std::uint8_t checksum;    // of the short name
  std::array<le16, 6> name2;
  le16 first_cluster;  // 0
  std::array<le16, 2> name3;
};
static_assert(sizeof(LongRecord) == slot_size && OnDisk<LongRecord>);
constexpr std::uint32_t units_per_long_record = 13;
constexpr std::uint8_t last_long_record = 0x40;

}  // namespace vimg::fat
