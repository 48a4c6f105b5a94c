// Maps of VMDK sparse extents: what lies where, for reading and for writing.
#pragma once

#include <cstdint>

#include "formats/block_disk.h"
#include "formats/vmdk_header.h"
#include "formats/vmdk_tables.h"

namespace vimg::vmdk {

// The disk of one sparse extent.  `backing`, which may be shorter, shows where there are no grains.
DiskPtr open_sparse(const SparseLayout& layout, DiskPtr file, DiskPtr backing,
                    std::uint64_t cache_bytes);
// The same for writing; the extent is not compressed.
DiskPtr open_writable_sparse(const SparseLayout& layout, DiskPtr file, DiskPtr backing,
                             std::uint64_t cache_bytes);

}  // namespace vimg::vmdk
