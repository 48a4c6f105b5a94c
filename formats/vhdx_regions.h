// VHDX regions: the part of read_layout() that reads the region tables.
#pragma once

#include "disk/disk.h"
#include "formats/vhdx_metadata.h"

namespace vimg::vhdx {

// Fills `layout`'s bat, metadata and occupied.  Throws Error(EUCLEAN, EOPNOTSUPP).
void read_regions(const Disk& file, const Header& header, Layout& layout);

}  // namespace vimg::vhdx
