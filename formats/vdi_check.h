// Checking VDI images.
#pragma once

#include "formats/driver.h"

namespace vimg::vdi {

// As FormatDriver::check: entries beyond the file, two blocks at one place, blocks of the file that
// nothing uses.  Mends a wrong count and gives back what is unused at the file's end.
CheckReport check(DiskPtr file, OpenContext& context, Repair repair);

}  // namespace vimg::vdi
