// The FUSE callbacks, one function for each part of them.
#pragma once

#include "fuse/fuse_api.h"

namespace vimg {

// Each sets its own members.  The session's user data is a MountState.
void add_lookup_operations(fuse_lowlevel_ops& operations);
void add_directory_operations(fuse_lowlevel_ops& operations);
void add_read_operations(fuse_lowlevel_ops& operations);
void add_write_operations(fuse_lowlevel_ops& operations);
void add_name_operations(fuse_lowlevel_ops& operations);
void add_xattr_operations(fuse_lowlevel_ops& operations);

// All of the above, and init.
fuse_lowlevel_ops mount_operations();

}  // namespace vimg
