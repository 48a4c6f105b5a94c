// Interrupt: Ctrl-C and its like as a flag, for work that leaves nothing half done behind.
#pragma once

#include <array>
#include <atomic>
#include <csignal>

namespace vimg {

// From its beginning to its end SIGINT, SIGTERM and SIGHUP only set the flag, the second time they
// end the process.  When the flag was set, the process then ends by that signal, as its parent
// expects it to.  One at a time; make it before what has to be undone.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  const std::atomic<bool>& flag() const noexcept;

 private:
  static constexpr std::array signals_{SIGINT, SIGTERM, SIGHUP};
  std::array<struct sigaction, signals_.size()> before_{};
};

}  // namespace vimg
