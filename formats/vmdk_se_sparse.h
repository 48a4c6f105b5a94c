// VMDK seSparse extents, the space-efficient kind of ESXi 5.1 and later.
#pragma once

#include <cstdint>

#include "disk/disk.h"

namespace vimg::vmdk {

// The disk of the extent, read-only.  `backing`, which may be shorter, shows where there are no
// grains.  Throws Error(EUCLEAN, EOPNOTSUPP).
DiskPtr open_se_sparse(DiskPtr file, DiskPtr backing, std::uint64_t cache_bytes);

}  // namespace vimg::vmdk
