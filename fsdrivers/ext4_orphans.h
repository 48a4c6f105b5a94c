// Orphans of ext3 and ext4: files that were deleted or cut while in use when the machine stopped.
#pragma once

#include <cstdint>

#include "fsdrivers/ext4_block_walk.h"
#include "fsdrivers/ext4_io.h"

namespace vimg {

struct OrphanCounts {
  std::uint64_t deleted = 0;
  std::uint64_t truncated = 0;
  std::uint64_t skipped = 0;  // too damaged to be touched; left as they are, in no list
};

// Deletes or truncates every orphan and empties the list and the orphan file, as the kernel does.
// A list ends where it is broken.  `filsys` is open for writing with its bitmaps read, `space` its
// blocks; the caller flushes.  Throws Error(EUCLEAN) for a broken orphan file, or what the Disk
// throws.
OrphanCounts clean_orphans(Ext2Handle& filsys, const BlockSpace& space);

// The same for one inode that is in use: deleted when it has no links, else truncated to its size.
OrphanCounts clean_orphan(Ext2Handle& filsys, const BlockSpace& space, ext2_ino_t number);

}  // namespace vimg
