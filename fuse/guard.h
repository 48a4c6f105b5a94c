// guard: turns what a callback throws into the errno that the kernel is told.
#pragma once

#include <cerrno>
#include <exception>
#include <new>

#include "disk/error.h"
#include "fuse/fuse_api.h"
#include "fuse/mount_state.h"

namespace vimg {

inline MountState& mount_state(fuse_req_t request) noexcept {
  return *static_cast<MountState*>(fuse_req_userdata(request));
}

// Replies with the errno for `error`, and notes it when it tells of damage or a failing host.
void reply_error(fuse_req_t request, const std::exception& error) noexcept;

// Runs `action(MountState&)`, which replies as its last step; when it throws, the reply is an
// errno.  Nothing may throw after a reply, as a request is answered once.
template <typename Action>
void guard(fuse_req_t request, Action&& action) noexcept {
  try {
    action(mount_state(request));
  } catch (const std::exception& error) {
    reply_error(request, error);
  }
}

}  // namespace vimg
