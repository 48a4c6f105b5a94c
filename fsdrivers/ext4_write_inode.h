// InodeRecord: an inode taken out of its table to be changed and put back.
#pragma once

#include <cstdint>
#include <ctime>
#include <vector>

#include "fsdrivers/ext4_format.h"
#include "fsdrivers/ext4_write_change.h"
#include "fsdrivers/filesystem.h"

namespace vimg::ext4 {

struct InodeRecord {
  std::uint32_t number = 0;
  RawInode raw{};                // zeros where the inode has no such field
  std::vector<std::byte> extra;  // all after the first 128 bytes; raw wins over its fields

  mode_t type() const noexcept { return raw.mode & S_IFMT; }
  bool is_directory() const noexcept { return type() == S_IFDIR; }
  bool is_regular() const noexcept { return type() == S_IFREG; }
  bool has_flag(std::uint32_t flag) const noexcept { return (raw.flags & flag) != 0; }
  void set_flag(std::uint32_t flag) noexcept { raw.flags = raw.flags | flag; }
  void clear_flag(std::uint32_t flag) noexcept { raw.flags = raw.flags & ~flag; }
  // The field of RawInode at byte `offset`, of 4 bytes, is there.
  bool has_field(std::size_t offset) const noexcept;
  // What the fields leave for extended attributes; empty when there is no room.
  Bytes xattr_area() noexcept;
  Seal seal(const Layout& layout, Seal::Kind kind) const noexcept;
};

// Throws Error(ESTALE) when `number` is not in use, Error(EUCLEAN) when it is broken.
InodeRecord load_inode(Change& change, InodeNumber number);
void store_inode(Change& change, const InodeRecord& inode);
// Where an inode lies: its block, and the offset in it.
struct InodePlace {
  std::uint64_t block;
  std::size_t offset;
};
InodePlace place_of_inode(Change& change, std::uint32_t number);

std::uint64_t size_of(const InodeRecord& inode) noexcept;
void set_size(InodeRecord& inode, std::uint64_t size) noexcept;
uid_t uid_of(const InodeRecord& inode) noexcept;
gid_t gid_of(const InodeRecord& inode) noexcept;
void set_owner(InodeRecord& inode, uid_t uid, gid_t gid) noexcept;

// What the inode takes on the disk, in blocks; throws Error(EFBIG) for more than can be counted.
std::uint64_t block_count_of(const Layout& layout, const InodeRecord& inode) noexcept;
void set_block_count(const Layout& layout, InodeRecord& inode, std::uint64_t blocks);
void add_blocks(const Layout& layout, InodeRecord& inode, std::uint64_t blocks);
void subtract_blocks(const Layout& layout, InodeRecord& inode, std::uint64_t blocks);

std::uint64_t xattr_block_of(const Layout& layout, const InodeRecord& inode) noexcept;
void set_xattr_block(const Layout& layout, InodeRecord& inode, std::uint64_t block) noexcept;

timespec current_time() noexcept;
// As far as the inode's fields reach; what they cannot hold becomes the nearest they can.
void set_atime(InodeRecord& inode, timespec time) noexcept;
void set_mtime(InodeRecord& inode, timespec time) noexcept;
void set_ctime(InodeRecord& inode, timespec time) noexcept;
void set_btime(InodeRecord& inode, timespec time) noexcept;
// mtime and ctime are now.
void touch(InodeRecord& inode) noexcept;

}  // namespace vimg::ext4
