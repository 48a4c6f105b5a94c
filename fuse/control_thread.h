// ControlThread: beside the threads that serve files, the one that hears signals and vimgumount.
#pragma once

#include <csignal>
#include <functional>
#include <string>
#include <thread>

#include "fuse/session.h"
#include "fuse/status_socket.h"

namespace vimg {

// SIGHUP, SIGINT and SIGTERM are blocked in the calling thread, and so in all that it starts from
// then on.  Called before there are any.
void block_ending_signals();

class ControlThread {
 public:
  // Runs until destroyed.  All outlive it.  `flush` is called now and then, so that what was
  // written does not stay in memory for long; it must not throw.
  ControlThread(Session& session, StatusServer& server, std::string mountpoint,
                std::function<void()> flush);
  ~ControlThread();
  ControlThread(const ControlThread&) = delete;
  ControlThread& operator=(const ControlThread&) = delete;

 private:
  void run() noexcept;
  // A signal asked for the end: what programs wrote is brought out, then the mount goes, used or
  // not.
  void end_mount() noexcept;

  Session& session_;
  StatusServer& server_;
  const std::string mountpoint_;
  const std::function<void()> flush_;
  int signals_;
  int stop_;
  std::thread thread_;
};

}  // namespace vimg
