// VHDX: looking through the whole structure.
#pragma once

#include "formats/driver.h"

namespace vimg::vhdx {

// As FormatDriver::check.  Space that nothing refers to is counted in blocks; what lies at the
// file's end is given back, what lies between blocks can only be reported.
CheckReport check(DiskPtr file, OpenContext& context, Repair repair);

}  // namespace vimg::vhdx
