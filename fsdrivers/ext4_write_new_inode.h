// New inodes: allocated and filled in as the kernel does.
#pragma once

#include <cstdint>

#include "fsdrivers/ext4_write_inode.h"

namespace vimg::ext4 {

// An inode near `parent` with no names, no blocks and the times of now; not stored yet.
// Throws Error(ENOSPC).
InodeRecord make_inode(Change& change, const InodeRecord& parent, const NewFile& file);

}  // namespace vimg::ext4
