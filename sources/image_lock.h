// Image locks: QEMU's agreement on who may use an image file for what.
#pragma once

#include <string>

#include "sources/host_file.h"

namespace vimg {

// Takes the locks that `access` asks for on the open file `fd`; closing it drops them.  File
// systems without such locks are left alone.  Throws Error(EBUSY), and sets `warning`, as
// open_host_file does.
void lock_image(int fd, const std::string& path, Access access, std::string* warning);

}  // namespace vimg
