// Volume: the superblock, the group descriptors, the inodes and the metadata blocks of ext4.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "disk/block_cache.h"
#include "disk/checked.h"
#include "disk/disk.h"
#include "fsdrivers/ext4_format.h"
#include "fsdrivers/ext4_inode.h"
#include "fsdrivers/ext4_superblock.h"

namespace vimg::ext4 {

// Whether an inode without a name can be read: only a writer has such, until they are released.
enum class Nameless { absent, present };

// Everything may be called from any thread.  Nothing of the file system but the superblock is read
// before it is needed; blocks of metadata are kept in a bounded cache.
class Volume {
 public:
  // `superblock` lies at `offset`; throws as validate() does.
  Volume(DiskPtr disk, const Superblock& superblock, std::uint64_t offset, Nameless nameless);

  const Disk& disk() const noexcept { return *disk_; }
  const DiskPtr& shared_disk() const noexcept { return disk_; }
  const Superblock& superblock() const noexcept { return superblock_; }
  const Geometry& geometry() const noexcept { return geometry_; }
  std::uint32_t block_size() const noexcept { return geometry_.block_size; }
  // What the checksums of metadata start from.
  std::uint32_t checksum_seed() const noexcept { return checksum_seed_; }
  bool has_checksums() const noexcept { return has_metadata_checksums(superblock_); }

  // True when the `count` blocks lie inside the file system and are not its very first.
  bool contains(std::uint64_t block, std::uint64_t count) const noexcept {
    return block != 0 && fits(block, count, geometry_.block_count);
  }
  // Throws Error(EUCLEAN): the blocks named by `what` do not lie inside the file system.
  [[noreturn]] void throw_outside(std::uint64_t block, std::uint64_t count,
                                  std::string_view what) const;

  // A block of metadata.  `verify` sees it when it comes from the disk, and throws to refuse it.
  using Verify = std::function<void(ConstBytes)>;
  BlockCache::Block metadata(std::uint64_t block, std::string_view what,
                             const Verify& verify = {}) const;
  // To be called after a block of metadata was written.
  void invalidate(std::uint64_t block) const { cache_->invalidate(block); }

  // Fills `out` with bytes of file content.  Throws Error(EUCLEAN) when they leave the disk.
  void read_data(std::uint64_t block, std::uint64_t offset_in_block, Bytes out) const;

  // `group` is below group_count.  Throws Error(EUCLEAN) for a wrong checksum.
  GroupDescriptor group(std::uint32_t group) const;
  // The first block of the group's inode table.
  std::uint64_t inode_table(std::uint32_t group) const;

  // A validated inode.  Throws Error(ESTALE) when `number` is out of range or not in use.
  Inode inode(InodeNumber number) const;
  // The same for those that a directory may name: not reserved, not an attribute's value.
  Inode file_inode(InodeNumber number) const;

 private:
  std::uint64_t descriptor_block(std::uint32_t index) const;
  void check_descriptor(const GroupDescriptor& descriptor, std::uint32_t group,
                        ConstBytes bytes) const;

  DiskPtr disk_;
  Superblock superblock_;
  Geometry geometry_;
  std::uint32_t checksum_seed_;
  Nameless nameless_;
  std::unique_ptr<BlockCache> cache_;
};

}  // namespace vimg::ext4
