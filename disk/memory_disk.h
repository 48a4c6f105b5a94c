// MemoryDisk: a Disk in memory, for tests, fuzzing and small synthetic disks.
#pragma once

#include <cstdint>
#include <vector>

#include "disk/disk.h"

namespace vimg {

// A writable, resizable disk that holds `content`.
DiskPtr make_memory_disk(std::vector<std::byte> content, std::uint32_t sector_size = 512);

}  // namespace vimg
