// serve_mount: opens the images, mounts what they hold and serves it to the end.
#pragma once

#include "fuse/background.h"
#include "fuse/options.h"

namespace vimg {

// Calls `ready` when the tree can be used.  Returns the exit code, after words on stderr when it is
// not 0.
int serve_mount(const MountOptions& options, const Ready& ready);

// vimgmount's main().
int run_vimgmount(int count, const char* const* arguments);

}  // namespace vimg
