// Creating VHD images.
#pragma once

#include "disk/disk.h"
#include "formats/create.h"

namespace vimg::vhd {

// As FormatDriver::create.  Options: subformat=dynamic|fixed, force_size=on (the disk is always of
// just the size asked for).
void create(Disk& file, NewImage image);

}  // namespace vimg::vhd
