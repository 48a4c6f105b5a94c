// Allocation of inodes: files near their directory, directories spread.
#pragma once

#include <cstdint>

#include "fsdrivers/ext4_write_inode.h"

namespace vimg::ext4 {

// A number that is not in use; its slot in the table is left as it is.  Counts a directory when
// `mode` is one's.  Throws Error(ENOSPC).
std::uint32_t allocate_inode(Change& change, const InodeRecord& parent, mode_t mode);

// Marks the inode's slot as deleted and its number as free.  Its blocks are gone already.
void free_inode(Change& change, InodeRecord& inode);

}  // namespace vimg::ext4
