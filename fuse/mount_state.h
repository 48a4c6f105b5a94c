// MountState: all that the FUSE callbacks work on.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <ctime>
#include <functional>
#include <string>

#include "fuse/problem_log.h"
#include "fuse/tree.h"
#include "fuse/volume_claims.h"

namespace vimg {

// Who checks permissions, and so whose files new ones are.
enum class Permissions {
  none,    // the mounting user acts as the guest's root
  kernel,  // -o default_permissions
};

// Lives as long as the session.  All but the last three members stay as they were made; what they
// refer to is used by many threads and knows how.
struct MountState {
  Tree& tree;
  ProblemLog& problems;
  VolumeClaims& claims;
  // The Disk of a volume; nullptr when it cannot be read.
  std::function<DiskPtr(std::size_t volume)> volume_disk;
  // The text of .vimg/info.json, made anew by each call.
  std::function<std::string()> report;
  MountAccess access = MountAccess::read_only;
  Permissions permissions = Permissions::none;
  uid_t owner = 0;  // who mounted, and owns the virtual nodes
  gid_t owner_group = 0;
  timespec mounted{};  // the time of the virtual nodes

  // The session's: the kernel drops what it knows of a node's attributes.
  std::function<void(NodeId node)> forget_attributes = [](NodeId) {};
  // The session's: runs `action` in another thread after the kernel has written out what its page
  // cache holds of a node.
  std::function<void(NodeId node, std::function<void()> action)> after_write_back =
      [](NodeId, const std::function<void()>& action) { action(); };
  std::atomic<bool> greeted = false;  // the kernel's INIT was answered

  bool writable() const noexcept { return access == MountAccess::read_write; }
};

}  // namespace vimg
