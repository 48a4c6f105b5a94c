// What recovery reads and changes of the superblock of ext3 and ext4.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "disk/disk.h"

namespace vimg {

// Spec: linux Documentation/filesystems/ext4/super.rst.  At byte 1024, whatever the block size.
struct Ext4RecoverySuperblock {
  le32 inode_count;
  le32 block_count_low;
  std::array<std::byte, 12> unused1;
  le32 first_data_block;
  le32 log_block_size;  // log2 of the block size, less 10
  std::array<std::byte, 12> unused2;
  le32 inodes_per_group;
  std::array<std::byte, 12> unused3;
  le16 magic;  // 0xEF53
  le16 state;
  std::array<std::byte, 16> unused4;
  le32 revision;  // 0 has neither features nor an inode size
  std::array<std::byte, 4> unused5;
  le32 first_inode;
  le16 inode_size;  // bytes
  le16 unused6;
  le32 compat;
  le32 incompat;
  le32 ro_compat;
  std::array<std::byte, 104> unused7;
  std::array<std::byte, 16> journal_uuid;  // of an external journal
  le32 journal_inode;
  le32 journal_device;
  le32 last_orphan;  // the first inode in the list of orphans; 0 = none
  std::array<std::byte, 17> unused8;
  std::uint8_t journal_backup_type;  // 1 = journal_backup is filled
  le16 descriptor_size;              // bytes; of group descriptors with the feature 64bit
  std::array<std::byte, 12> unused9;
  std::array<le32, 17>
      journal_backup;     // the journal inode's i_block, then its size, high word first
  le32 block_count_high;  // with the feature 64bit
  std::array<std::byte, 680> unused10;
  le32 checksum;  // crc32c of what is before, with the feature metadata_csum
};
static_assert(sizeof(Ext4RecoverySuperblock) == 1024 && OnDisk<Ext4RecoverySuperblock>);

constexpr std::uint32_t ext4_compat_has_journal = 0x0004;
constexpr std::uint32_t ext4_incompat_recover = 0x0004;
constexpr std::uint32_t ext4_incompat_journal_device = 0x0008;
constexpr std::uint32_t ext4_incompat_64bit = 0x0080;
constexpr std::uint32_t ext4_ro_compat_metadata_csum = 0x0400;
constexpr std::uint32_t ext4_ro_compat_orphan_present = 0x10000;
constexpr std::uint16_t ext4_state_errors = 0x0002;

// Nothing when `disk` holds no ext2, ext3 or ext4.
std::optional<Ext4RecoverySuperblock> find_recovery_superblock(const Disk& disk);

// Throws Error(EUCLEAN) when there is none, or when a field that recovery relies on is out of
// range.
Ext4RecoverySuperblock read_recovery_superblock(const Disk& disk);

// Writes it back, with its checksum made right.  Does not flush.
void write_recovery_superblock(Disk& disk, Ext4RecoverySuperblock superblock);

std::uint32_t block_size(const Ext4RecoverySuperblock& superblock) noexcept;
std::uint64_t block_count(const Ext4RecoverySuperblock& superblock) noexcept;
std::uint32_t inode_size(const Ext4RecoverySuperblock& superblock) noexcept;

}  // namespace vimg
