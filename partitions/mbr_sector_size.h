// In which unit an MBR counts.
#pragma once

#include <cstdint>

#include "disk/disk.h"
#include "partitions/mbr_sector.h"

namespace vimg {

// The bytes of a sector as the entries of `mbr` count them.  An MBR does not say; it is
// disk.sector_size(), unless nothing lies where that puts the partitions and something lies where
// the other of 512 and 4096 puts them.
std::uint32_t mbr_sector_size(const Disk& disk, const MbrSector& mbr);

}  // namespace vimg
