#include "fuse/privileges.h"

#include <sys/stat.h>

#include "fuse/ownership.h"

namespace vimg {
namespace {

constexpr mode_t permission_bits = 07777;

}  // namespace

mode_t without_privileges(mode_t mode) noexcept {
  if (S_ISDIR(mode)) {
    return mode;
  }
  const mode_t lost = S_ISUID | ((mode & S_IXGRP) != 0 ? S_ISGID : 0);
  return mode & ~lost;
}

void take_privileges(const MountState& mount, const Tree::Place& place, const fuse_ctx& caller,
                     AttributeChange& change) {
  const bool given_away = change.uid || change.gid;
  const bool resized = change.size && !acts_as_root(mount, caller);
  if (change.permissions || (!given_away && !resized)) {
    return;
  }
  const mode_t mode = place.view->filesystem->reading().attributes(place.inode).mode;
  if (const mode_t kept = without_privileges(mode); kept != mode) {
    change.permissions = kept & permission_bits;
  }
}

void take_privileges_for_write(const MountState& mount, NodeId node, const Tree::Place& place,
                               const fuse_ctx& caller) {
  if (acts_as_root(mount, caller)) {
    return;
  }
  const mode_t mode = place.view->filesystem->reading().attributes(place.inode).mode;
  const mode_t kept = without_privileges(mode);
  if (kept == mode) {
    return;
  }
  AttributeChange change;
  change.permissions = kept & permission_bits;
  place.view->filesystem->writing().change(place.inode, change);
  mount.forget_attributes(node);
}

}  // namespace vimg
