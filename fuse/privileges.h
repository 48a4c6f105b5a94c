// Privileges: SUID and SGID are lost when a file is given away, or changed by another than root.
#pragma once

#include "fuse/fuse_api.h"
#include "fuse/mount_state.h"

namespace vimg {

// As Linux has it: SUID goes, and SGID where the group may execute; directories keep both.
mode_t without_privileges(mode_t mode) noexcept;

// Adds to `change`, asked for by `caller`, what it takes away from the file: a change of owner by
// anybody, and of size by whoever does not act as root.
void take_privileges(const MountState& mount, const Tree::Place& place, const fuse_ctx& caller,
                     AttributeChange& change);

// `caller` is about to write `node`, which lies at `place`.
void take_privileges_for_write(const MountState& mount, NodeId node, const Tree::Place& place,
                               const fuse_ctx& caller);

}  // namespace vimg
