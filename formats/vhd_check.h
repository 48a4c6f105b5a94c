// Checking VHD images.
#pragma once

#include "formats/driver.h"

namespace vimg::vhd {

// As FormatDriver::check: blocks beyond the file or over each other and the tables, space that
// nothing uses, a missing footer.  Mends the footer and gives back what is unused at the file's
// end.
CheckReport check(DiskPtr file, OpenContext& context, Repair repair);

}  // namespace vimg::vhd
