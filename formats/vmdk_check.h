// Checking VMDK images.
#pragma once

#include "formats/driver.h"

namespace vimg::vmdk {

// As FormatDriver's.
CheckReport check_image(DiskPtr file, OpenContext& context, Repair repair);

}  // namespace vimg::vmdk
