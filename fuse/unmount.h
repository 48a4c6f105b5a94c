// Unmounting: what umount(8) and fusermount3 do.
#pragma once

#include <string>

namespace vimg {

enum class UnmountMode {
  when_unused,
  lazy,  // at once out of sight; it ends when nobody uses it any more
};

// Returns 0 or an errno: EBUSY when it is in use.  As root by the system call; fusermount3, which
// may unmount what its user mounted, is asked otherwise.  `mountpoint` is absolute, without
// symbolic links.
int unmount(const std::string& mountpoint, UnmountMode mode);

}  // namespace vimg
