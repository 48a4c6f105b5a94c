// run_vimgumount: the barrier behind which all that was written is on the disk.
#pragma once

namespace vimg {

// vimgumount's main().
int run_vimgumount(int count, const char* const* arguments);

}  // namespace vimg
