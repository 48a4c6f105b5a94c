// What statfs(2) and dumpe2fs(8) tell of an ext4 file system.
#pragma once

#include <string>
#include <vector>

#include "fsdrivers/ext4_options.h"
#include "fsdrivers/ext4_volume.h"

namespace vimg::ext4 {

// As the kernel counts.
FileSystemStatistics statistics_of(const Volume& volume, CountedBlocks counted);

// Without `warnings`; `facts` are named as dumpe2fs names them.
FileSystemInfo info_of(const Superblock& superblock, const Geometry& geometry);

}  // namespace vimg::ext4
