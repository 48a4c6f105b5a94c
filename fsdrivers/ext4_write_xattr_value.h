// Values of extended attributes that are too large for a block: each in an inode of its own.
#pragma once

#include <cstdint>
#include <vector>

#include "fsdrivers/ext4_write_inode.h"
#include "fsdrivers/ext4_write_xattr_list.h"

namespace vimg::ext4 {

// Makes an inode that holds `value`, referred to once, and counts its blocks in `owner` too.
StoredXattr make_value_inode(Change& change, InodeRecord& owner, const StoredXattr& attribute);
std::vector<std::byte> read_value_inode(Change& change, const StoredXattr& attribute);
// One owner more.
void share_value_inode(Change& change, const StoredXattr& attribute);
// `owner` gives up its count of the value's blocks; the others that share its block keep the value.
void uncount_value_inode(Change& change, InodeRecord& owner, const StoredXattr& attribute);
// One owner less; the last takes the inode with it.
void drop_value_inode(Change& change, InodeRecord& owner, const StoredXattr& attribute);

}  // namespace vimg::ext4
