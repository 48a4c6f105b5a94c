// The disk that a qcow2 image holds.
#pragma once

#include "disk/disk.h"
#include "formats/driver.h"

namespace vimg::qcow2 {

// As FormatDriver::open.  What cannot be written although the context asks for it opens read-only,
// with a warning that says why.
DiskPtr open_disk(DiskPtr file, OpenContext& context);

}  // namespace vimg::qcow2
