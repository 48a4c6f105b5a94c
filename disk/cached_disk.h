// CachedDisk: a Disk whose small reads are answered from memory, for an image's tables.
#pragma once

#include <cstdint>

#include "disk/disk.h"

namespace vimg {

// `disk` with its pages of 4 KiB kept in at most `cache_bytes` once they were read.  Writes go
// through at once.  What is written to `disk` past this one may or may not be seen here, so it is
// for the tables of an image, while the data goes past it.
DiskPtr make_cached_disk(DiskPtr disk, std::uint64_t cache_bytes);

}  // namespace vimg
