// Looking through the whole structure of a qcow2 image, as qemu-img check does.
#pragma once

#include "formats/driver.h"

namespace vimg::qcow2 {

// As FormatDriver::check.  Counts references for 16 Mi clusters at a time (64 MiB of memory, and 1
// TiB of file with clusters of 64 KiB), so that a larger file has its tables followed several
// times.  Leaks are mended only where nothing is corrupt, since what a broken table refers to looks
// like a leak; then "copied" flags are put right, too.
CheckReport check(DiskPtr file, OpenContext& context, Repair repair);

}  // namespace vimg::qcow2
