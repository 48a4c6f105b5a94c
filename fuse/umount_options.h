// UmountOptions: the command line of vimgumount, understood.
#pragma once

#include <optional>
#include <string>

#include "fuse/unmount.h"

namespace vimg {

struct UmountOptions {
  std::string mountpoint;
  UnmountMode mode = UnmountMode::when_unused;
  unsigned attempts = 5;  // while the mount is in use; guestunmount's default
  enum class Words { all, none } words = Words::all;
  std::optional<int> wait_fd;  // guestunmount's --fd: unmount when its other end is closed
};

// Throws Advice.
UmountOptions parse_umount_options(int count, const char* const* arguments);

}  // namespace vimg
