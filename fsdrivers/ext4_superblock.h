// The superblock of ext2, ext3 and ext4: read, validated and put into words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "disk/disk.h"
#include "fsdrivers/driver.h"
#include "fsdrivers/ext4_format.h"

namespace vimg::ext4 {

constexpr char layer[] = "ext4";

// The sizes of a file system, out of a validated superblock: every number is in range.
struct Geometry {
  std::uint32_t block_size = 0;      // bytes, 1 KiB to 64 KiB
  std::uint32_t block_bits = 0;      // its log2
  std::uint32_t cluster_blocks = 1;  // 1 without bigalloc
  std::uint64_t block_count = 0;     // below 2^48
  std::uint32_t first_data_block = 0;
  std::uint32_t blocks_per_group = 0;
  std::uint32_t group_count = 0;
  std::uint32_t inode_count = 0;  // inodes are numbered from 1
  std::uint32_t inodes_per_group = 0;
  std::uint32_t first_inode = 0;       // the first that is not reserved
  std::uint32_t inode_size = 0;        // bytes, a power of two
  std::uint32_t descriptor_size = 0;   // bytes, a power of two
  std::uint64_t superblock_block = 0;  // the block that the superblock used here lies in
};

// The superblock at `offset`.  Throws as Disk::read does, or Error(EUCLEAN) when there is none.
Superblock read_superblock(const Disk& disk, std::uint64_t offset);

// Throws Error(EOPNOTSUPP) for a feature that is not known, naming it, and for an external journal;
// Error(EUCLEAN) for numbers that cannot be and for a wrong checksum.  Whether the disk is as large
// as the file system says is not looked at.
Geometry validate(const Superblock& superblock, std::uint64_t offset);

// "ext2", "ext3", "ext4", "ext4dev" or "jbd", by the features, as blkid tells them apart.
std::string type_of(const Superblock& superblock);
FileSystemIdentity identity_of(const Superblock& superblock);

// The names of the features as dumpe2fs lists them, with a space between.
std::string feature_names(const Superblock& superblock);
// The features among `incompat` that cannot be read here, by name; empty when all can.
std::string unreadable_features(std::uint32_t incompat);

// True for the groups that hold a copy of the superblock and of the group descriptors.
bool has_superblock_copy(const Superblock& superblock, std::uint32_t group);

inline bool has_compat(const Superblock& superblock, std::uint32_t bit) noexcept {
  return (superblock.feature_compat & bit) != 0;
}
inline bool has_incompat(const Superblock& superblock, std::uint32_t bit) noexcept {
  return (superblock.feature_incompat & bit) != 0;
}
inline bool has_ro_compat(const Superblock& superblock, std::uint32_t bit) noexcept {
  return (superblock.feature_ro_compat & bit) != 0;
}
inline bool has_metadata_checksums(const Superblock& superblock) noexcept {
  return has_ro_compat(superblock, ro_compat_metadata_csum);
}

inline std::uint64_t joined(std::uint64_t high, std::uint64_t low) noexcept {
  return high << 32 | low;
}

}  // namespace vimg::ext4
