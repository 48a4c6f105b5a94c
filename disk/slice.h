// Slice: a part of a Disk as a Disk of its own.
#pragma once

#include <cstdint>

#include "disk/disk.h"

namespace vimg {

// The `length` bytes of `disk` from `offset`.  Throws Error(EINVAL) when they leave it.
DiskPtr make_slice(DiskPtr disk, std::uint64_t offset, std::uint64_t length);

// `disk` without the right to write; `disk` itself when it has none.
DiskPtr make_read_only(DiskPtr disk);

}  // namespace vimg
