// Creating VDI images.
#pragma once

#include "disk/disk.h"
#include "formats/create.h"

namespace vimg::vdi {

// As FormatDriver::create.  The option "static" sets all blocks aside.
void create(Disk& file, NewImage image);

}  // namespace vimg::vdi
