// VHDX: new images.
#pragma once

#include "disk/disk.h"
#include "formats/create.h"

namespace vimg::vhdx {

// As FormatDriver::create: dynamic or fixed, with qemu-img's options.
void create(Disk& file, NewImage image);

}  // namespace vimg::vhdx
