// open_beneath: opening a file that cannot lie outside a directory, whatever its name says.
#pragma once

#include <string>

#include "disk/file_descriptor.h"

namespace vimg {

// One of the two is set.
struct BeneathResult {
  FileDescriptor fd;
  int error = 0;  // EXDEV: the name leaves the directory; ELOOP: it meets a symbolic link
};

// Opens `name` relative to `directory` with the open(2) `flags`.  The name may climb with "..", but
// not above `directory`, and no part of it may be a symbolic link; an absolute name is EXDEV.
// Uses openat2(2), and the next function where the kernel or a filter does not have it.
BeneathResult open_beneath(int directory, const std::string& name, int flags);

// The same, component by component.
BeneathResult open_beneath_by_hand(int directory, const std::string& name, int flags);

}  // namespace vimg
