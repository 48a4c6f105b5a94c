// Concatenation: Disks one behind the other as one Disk.
#pragma once

#include <vector>

#include "disk/disk.h"

namespace vimg {

// `parts` in order; none of them may be empty, and their sizes must not sum up past 2^63.  Writable
// when all of them are.  flush() flushes `roots`, the disks that the parts lie on, so that many
// parts of one disk cost one flush.
DiskPtr make_concatenation(const std::vector<DiskPtr>& parts, std::vector<DiskPtr> roots);

}  // namespace vimg
