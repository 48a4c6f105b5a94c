// OverlayDisk: writes kept in memory (or in a temporary file) over a Disk that is never written.
#pragma once

#include <cstdint>

#include "disk/disk.h"

namespace vimg {

// A writable view of `base` whose writes stay in memory: what replaying a journal on a read-only
// image needs.  Throws Error(ENOSPC) from write() beyond `limit` bytes of changed 4 KiB blocks.
// They are in a memfd, whose descriptor extent() names.
DiskPtr make_memory_overlay(DiskPtr base, std::uint64_t limit);

// The same with the changed blocks in an unlinked temporary file ($TMPDIR, else /var/tmp), for
// --scratch: memory grows by about 80 bytes for each 256 KiB in which something was changed.
DiskPtr make_scratch_overlay(DiskPtr base);

}  // namespace vimg
