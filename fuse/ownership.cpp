#include "fuse/ownership.h"

namespace vimg {

bool acts_as_root(const MountState& mount, const fuse_ctx& caller) noexcept {
  return caller.uid == 0 || (mount.permissions == Permissions::none && caller.uid == mount.owner);
}

Owner owner_of_new(const MountState& mount, const fuse_ctx& caller) noexcept {
  const bool root = mount.permissions == Permissions::none && acts_as_root(mount, caller);
  return root ? Owner{0, 0} : Owner{caller.uid, caller.gid};
}

mode_t masked_mode(const FileSystem& filesystem, InodeNumber directory, mode_t mode, mode_t umask) {
  const bool inherits =
      (mode & umask) != 0 && filesystem.xattr(directory, "system.posix_acl_default").has_value();
  return inherits ? mode : mode & ~umask;
}

}  // namespace vimg
