// Multi-mount protection: the block by which hosts that share a disk see each other.
#pragma once

#include "fsdrivers/ext4_write_change.h"

namespace vimg::ext4 {

// Both do nothing without the feature.
// Throws Error(EBUSY) when the block says that somebody uses the file system.
void take_mmp(Change& change);
void leave_mmp(Change& change);

}  // namespace vimg::ext4
