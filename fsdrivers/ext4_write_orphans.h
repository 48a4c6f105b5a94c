// The orphan list: inodes without a name that are still in use, for recovery after a crash.
#pragma once

#include "fsdrivers/ext4_write_inode.h"

namespace vimg::ext4 {

void add_orphan(Change& change, InodeRecord& inode);
void remove_orphan(Change& change, InodeRecord& inode);

}  // namespace vimg::ext4
