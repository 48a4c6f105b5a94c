// What an operation on ext4 must not do, checked before it does anything.
#pragma once

#include <cstdint>
#include <string_view>

#include "fsdrivers/ext4_write_inode.h"

namespace vimg::ext4 {

// Throws Error(EROFS) naming the features for which this file system can only be read.
void check_writable(const Superblock& superblock);

// Throws Error(ENOTDIR, ENOENT for a removed one, ENOKEY, EPERM) unless entries can be added.
void check_can_add(const InodeRecord& directory);
// Throws Error(ENAMETOOLONG, EINVAL or ENOENT) for what is not a name.
void check_name(const Layout& layout, const InodeRecord& directory, std::string_view name);
// Throws Error(EPERM) unless an entry for `inode` can be taken out of `directory`.
void check_can_remove(const InodeRecord& directory, const InodeRecord& inode);
// Throws Error(EISDIR, EINVAL, EPERM or ENOKEY) unless the content of `file` can be changed.
void check_can_write(const InodeRecord& file);
// Throws Error(EPERM) for an inode that is not to be changed at all.
void check_mutable(const InodeRecord& inode);
// The largest size that `file` may get; throws Error(EFBIG) beyond.
void check_size(const Layout& layout, const InodeRecord& file, std::uint64_t size);

}  // namespace vimg::ext4
