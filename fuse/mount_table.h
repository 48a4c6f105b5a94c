// The kernel's table of mounts, as /proc/self/mountinfo shows it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace vimg {

struct MountedFuse {
  std::string device;      // "0:53": unique among all that is mounted now
  std::string mountpoint;  // absolute, without symbolic links
  std::string type;        // "fuse.vimgmount"
  std::string source;
  uid_t owner;  // who mounted it
};

// The topmost mount at `mountpoint`, which is absolute and without symbolic links; nothing when
// none is there, or it is no FUSE mount.  Reading the table asks nothing of the file system itself,
// so it works when that hangs.
std::optional<MountedFuse> find_fuse_mount(std::string_view mountpoint);

// The same in the text of a mountinfo file.
std::optional<MountedFuse> find_fuse_mount(std::string_view mountinfo, std::string_view mountpoint);

}  // namespace vimg
