// Ownership: whose new files are, and with which permissions.
#pragma once

#include <sys/types.h>

#include "fuse/fuse_api.h"
#include "fuse/mount_state.h"

namespace vimg {

struct Owner {
  uid_t uid;
  gid_t gid;
};

// The mounting user and root act as the guest's root, unless the kernel checks permissions: then
// only root does.
bool acts_as_root(const MountState& mount, const fuse_ctx& caller) noexcept;

// The guest's root for the user who mounted and for root, unless the kernel checks permissions;
// else the caller.
Owner owner_of_new(const MountState& mount, const fuse_ctx& caller) noexcept;

// `mode` less the umask, which does not count in a directory with a default ACL.
mode_t masked_mode(const FileSystem& filesystem, InodeNumber directory, mode_t mode, mode_t umask);

}  // namespace vimg
