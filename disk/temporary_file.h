// A temporary file: one without a name, which is gone when it is closed.
#pragma once

#include "disk/file_descriptor.h"

namespace vimg {

// Empty, for reading and writing, in $TMPDIR or else /var/tmp.  Throws Error with the host's errno.
FileDescriptor make_temporary_file();

}  // namespace vimg
