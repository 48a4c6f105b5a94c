// Layout: where an ext file system keeps what, checked once.
#pragma once

#include <cstdint>

#include "disk/disk.h"
#include "fsdrivers/ext4_format.h"

namespace vimg::ext4 {

// The unchanging part of a superblock.  Every number is in range; immutable, so any thread may use
// it.
class Layout {
 public:
  // Throws Error(EUCLEAN) unless `super` describes a file system that fits `disk_size` bytes.
  Layout(const Superblock& super, std::uint64_t disk_size);

  std::uint32_t block_size() const noexcept { return std::uint32_t(1) << block_bits; }
  bool has_compat(std::uint32_t bit) const noexcept { return (compat & bit) != 0; }
  bool has_incompat(std::uint32_t bit) const noexcept { return (incompat & bit) != 0; }
  bool has_ro_compat(std::uint32_t bit) const noexcept { return (ro_compat & bit) != 0; }
  bool has_group_checksums() const noexcept;
  bool has_metadata_checksums() const noexcept;

  std::uint32_t group_of_inode(std::uint32_t inode) const noexcept;
  std::uint32_t group_of_block(std::uint64_t block) const noexcept;
  std::uint64_t first_block(std::uint32_t group) const noexcept;
  std::uint32_t blocks_in(std::uint32_t group) const noexcept;
  std::uint32_t clusters_in(std::uint32_t group) const noexcept;
  // True for the groups that begin with a (backup) superblock.
  bool has_superblock(std::uint32_t group) const noexcept;
  // Blocks at the start of `group` that hold a superblock and group descriptors.
  std::uint32_t base_metadata_blocks(std::uint32_t group) const noexcept;
  // The block of the primary descriptor table that holds `group`'s, and the offset in it.
  std::uint64_t descriptor_block(std::uint32_t group) const noexcept;
  std::uint32_t descriptor_offset(std::uint32_t group) const noexcept;
  std::uint64_t superblock_block() const noexcept { return superblock_offset >> block_bits; }
  std::uint32_t inodes_per_block() const noexcept { return block_size() / inode_size; }
  std::uint32_t blocks_per_cluster() const noexcept { return std::uint32_t(1) << cluster_bits; }
  // The size that the block map of a file can reach, in bytes.
  std::uint64_t maximum_extent_file_size() const noexcept;
  std::uint64_t maximum_mapped_file_size() const noexcept;

  std::uint32_t block_bits;
  std::uint32_t cluster_bits;  // log2 of blocks per cluster
  std::uint64_t block_count;
  std::uint32_t inode_count;
  std::uint32_t first_data_block;
  std::uint32_t blocks_per_group;
  std::uint32_t clusters_per_group;
  std::uint32_t inodes_per_group;
  std::uint32_t group_count;
  std::uint32_t first_inode;  // that is not reserved
  std::uint16_t inode_size;
  std::uint16_t descriptor_size;
  std::uint16_t wanted_extra_size;  // of new inodes
  std::uint32_t flex_group_bits;
  std::uint32_t compat, incompat, ro_compat;
  std::uint32_t checksum_seed;
  std::uint32_t revision;
  std::uint32_t flags;
  std::uint32_t default_mount_options;
  std::uint8_t hash_version;
  std::array<std::uint32_t, 4> hash_seed;
  std::array<std::uint8_t, 16> uuid;
  std::uint32_t first_meta_group;
  std::uint32_t reserved_descriptor_blocks;
  std::array<std::uint32_t, 2> backup_groups;
  std::uint16_t encoding;
  std::uint16_t encoding_flags;

 private:
  void validate(const Superblock& super, std::uint64_t disk_size) const;
};

}  // namespace vimg::ext4
