// The parent of a differencing VHD.
#pragma once

#include "disk/disk.h"
#include "formats/driver.h"
#include "formats/vhd_layout.h"

namespace vimg::vhd {

// Opens the first of the names in the parent locators that is there: a relative one as it is, of an
// absolute one the last part, beside the image.  `file` is where `header` was read.
// Throws Error(ENOENT) when none is, Error(EUCLEAN) when it is not the image that was meant, and as
// OpenContext::open_image does.
DiskPtr open_parent(const Disk& file, const Header& header, OpenContext& context);

// The parent's name as the header has it, for information.
std::string parent_name(const Header& header);

}  // namespace vimg::vhd
