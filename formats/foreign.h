// Foreign formats: image formats that are known by their signature only.
#pragma once

#include "disk/disk.h"

namespace vimg {

// The name, as qemu-img spells it, of a format without a driver whose signature `file` holds;
// nullptr when there is none.  Reads little, throws only what read() throws.
const char* foreign_format(const Disk& file);

}  // namespace vimg
