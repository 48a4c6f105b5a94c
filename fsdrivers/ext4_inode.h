// Inode: one inode as it lies on disk, and what its fields mean.
#pragma once

#include <cstdint>

#include "disk/block_cache.h"
#include "fsdrivers/ext4_format.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/filesystem.h"

namespace vimg::ext4 {

// A copy that does not change when the inode does.
class Inode {
 public:
  // `block` holds the inode's `size` bytes from `offset`; `seed` is the file system's for
  // checksums.
  Inode(std::uint32_t number, BlockCache::Block block, std::size_t offset, std::size_t size,
        std::uint32_t seed);

  std::uint32_t number() const noexcept { return number_; }
  const RawInode& raw() const noexcept { return raw_; }
  // All of it, inode_size bytes.
  ConstBytes bytes() const noexcept { return {block_->data() + offset_, size_}; }
  // What is left after the fields, for extended attributes; empty when there is no room.
  ConstBytes xattr_area() const noexcept;

  bool has_flag(std::uint32_t flag) const noexcept { return (raw_.flags & flag) != 0; }
  mode_t type() const noexcept { return raw_.mode & S_IFMT; }
  bool is_directory() const noexcept { return type() == S_IFDIR; }
  // In bytes; validate_inode() has refused what is not below 2^63.
  std::uint64_t size(const Superblock& superblock) const noexcept;
  // The block of extended attributes; 0 = none.
  std::uint64_t xattr_block(const Superblock& superblock) const noexcept;
  // Of 512 bytes.
  std::uint64_t sectors(const Superblock& superblock, const Geometry& geometry) const noexcept;
  // What the checksums of this inode's directory and extent blocks start from.
  std::uint32_t checksum_seed() const noexcept { return seed_; }
  // The field at byte `offset` of RawInode, `length` long, is there.
  bool has_field(std::size_t offset, std::size_t length) const noexcept;

 private:
  std::uint32_t number_;
  BlockCache::Block block_;
  std::size_t offset_;
  std::size_t size_;
  RawInode raw_;  // zeros where this inode has no such field
  std::uint32_t seed_;
};

// Throws Error(EUCLEAN) for a wrong checksum, or for fields that cannot be.
void validate_inode(const Inode& inode, const Superblock& superblock);

Attributes attributes_of(const Inode& inode, const Superblock& superblock,
                         const Geometry& geometry);

}  // namespace vimg::ext4
