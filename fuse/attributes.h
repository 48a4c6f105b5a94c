// Attributes as FUSE wants them: struct stat, entry replies, how long the kernel may keep them.
#pragma once

#include <sys/stat.h>

#include "fuse/fuse_api.h"
#include "fuse/mount_state.h"

namespace vimg {

// How long the kernel may use an answer without asking again, in seconds.  Long, as every change
// comes through this mount; 0 where it may come through another view.
double cache_timeout(const View& view, mode_t type) noexcept;
// The same for a name in a directory, and for its absence.
double name_timeout(const View& view) noexcept;
constexpr double long_timeout = 86400;

struct stat stat_of(const MountState& mount, const View& view, const Attributes& attributes);
// Of a virtual node that is no `filesystem`.
struct stat stat_of(const MountState& mount, const VirtualNode& node);

// The entry for a file of `view`; the kernel must be told that it was given out: remember().
fuse_entry_param entry_of(const MountState& mount, const View& view, const Attributes& attributes);
fuse_entry_param entry_of(const MountState& mount, const VirtualNode& node);

// What is seen at `inode` of `view`: itself, or the top of what is mounted there.
struct Seen {
  const View* view;
  InodeNumber inode;
};
Seen cross(const Tree& tree, const View& view, InodeNumber inode);

// Replies with the entry for a file and counts it.
void reply_entry(fuse_req_t request, const MountState& mount, const View& view,
                 const Attributes& attributes);

}  // namespace vimg
