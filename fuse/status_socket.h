// The status socket: how vimgumount learns which process serves a mount, and how it ended.
//
// The name is abstract and made from the mount's device number, which no other living mount has:
// "\0vimgmount/0:53", then "\0vimgmount/0:53.1" … where somebody else sits on the name.  The kernel
// tells each side who the other is, so neither can be fooled: a client believes only a listener
// that runs as the user who mounted, and a server answers only that user and root.
//
// The server says nothing until the end, then "CODE MESSAGE", and the end of the stream comes when
// its process is gone.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "disk/error.h"

namespace vimg {

// How a mount ended.
struct FinalStatus {
  ExitCode code;
  std::string message;  // why not ok, or else warnings, a line each
};

class StatusServer {
 public:
  // Listens for the mount `device`.  When no name is free it serves nobody: listener() is -1.
  explicit StatusServer(const std::string& device);
  ~StatusServer();
  StatusServer(const StatusServer&) = delete;
  StatusServer& operator=(const StatusServer&) = delete;

  // To be polled; readable when accept() has something to do.
  int listener() const noexcept { return listener_; }
  void accept() noexcept;
  // To all who are there.  Their streams stay open until the process ends.
  void tell(const FinalStatus& status) noexcept;

 private:
  int listener_;
  std::vector<int> clients_;
};

class StatusClient {
 public:
  // Connects to who serves the mount `device` of the user `owner`; nothing when nobody does.
  static std::optional<StatusClient> connect(const std::string& device, uid_t owner);
  StatusClient(StatusClient&& other) noexcept;
  StatusClient& operator=(StatusClient&&) = delete;
  ~StatusClient();

  pid_t process() const noexcept { return process_; }
  // Returns when the process is gone; nothing when it ended without a word.
  std::optional<FinalStatus> wait();

 private:
  StatusClient(int socket, pid_t process) noexcept;

  int socket_;
  int process_fd_;  // -1 when the process cannot be watched
  pid_t process_;
};

}  // namespace vimg
