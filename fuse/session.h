// Session: one FUSE mount, from fuse_session_new to the end of its loop.
#pragma once

#include <string>
#include <vector>

#include "fuse/fuse_api.h"
#include "fuse/mount_state.h"
#include "fuse/work_thread.h"

namespace vimg {

struct SessionOptions {
  std::string source;              // what findmnt and df show: the image's path
  std::vector<std::string> words;  // further words of libfuse's -o
};

class Session {
 public:
  // Throws Error(EINVAL) when libfuse does not take the options; it has said why on stderr.
  // `mount` outlives the session.
  Session(MountState& mount, const SessionOptions& options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Throws Error(EIO) when it cannot be mounted; libfuse or fusermount3 has said why on stderr.
  void mount(const std::string& mountpoint);
  // Serves until the mount is gone or stop() was called.  Called in the thread that made this.
  void serve();
  // Ends serve() from another thread, though the mount may still be in use.
  void stop() noexcept;

 private:
  void answer_through_hook();

  fuse_session* session_;
  WorkThread write_back_;
  pthread_t serving_thread_;
};

}  // namespace vimg
