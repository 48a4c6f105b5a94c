// Compressed grains of VMDK stream-optimized extents.
#pragma once

#include <cstdint>

#include "disk/disk.h"
#include "formats/vmdk_header.h"

namespace vimg::vmdk {

// Decodes the grain numbered `grain`, which is stored at `place`, into `out`, which is as long as a
// grain.  Throws Error(EUCLEAN).  Threads: any.
void decode_grain(const Disk& file, const SparseLayout& layout, std::uint64_t grain,
                  std::uint64_t place, Bytes out);

}  // namespace vimg::vmdk
