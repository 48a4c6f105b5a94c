#include "fuse/control_thread.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "fuse/unmount.h"

namespace vimg {
namespace {

// As long as the kernel's own file systems and page cache keep what was written.
constexpr int flush_interval_ms = 15000;

sigset_t ending_signals() noexcept {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) {
    sigaddset(&signals, signal);
  }
  return signals;
}

// Writes out what the kernel keeps for this mount while it is still served.
void bring_out(const std::string& mountpoint) noexcept {
  const int fd = open(mountpoint.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    syncfs(fd);
    close(fd);
  }
}

}  // namespace

void block_ending_signals() {
  const sigset_t signals = ending_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

ControlThread::ControlThread(Session& session, StatusServer& server, std::string mountpoint,
                             std::function<void()> flush)
    : session_(session),
      server_(server),
      mountpoint_(std::move(mountpoint)),
      flush_(std::move(flush)),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  const sigset_t signals = ending_signals();
  signals_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  thread_ = std::thread([this] { run(); });
}

ControlThread::~ControlThread() {
  eventfd_write(stop_, 1);
  thread_.join();
  close(signals_);
  close(stop_);
}

void ControlThread::run() noexcept {
  for (;;) {
    std::array<pollfd, 3> events{pollfd{stop_, POLLIN, 0}, pollfd{signals_, POLLIN, 0},
                                 pollfd{server_.listener(), POLLIN, 0}};
    const int ready = poll(events.data(), events.size(), flush_interval_ms);
    if (events[0].revents != 0) {
      return;
    }
    if (ready == 0) {
      flush_();
    }
    if (events[2].revents != 0) {
      server_.accept();
    }
    signalfd_siginfo signal{};
    if (events[1].revents != 0 && read(signals_, &signal, sizeof(signal)) == sizeof(signal)) {
      end_mount();
    }
  }
}

void ControlThread::end_mount() noexcept {
  bring_out(mountpoint_);
  if (unmount(mountpoint_, UnmountMode::when_unused) == EBUSY) {
    unmount(mountpoint_, UnmountMode::lazy);
  }
  session_.stop();
}

}  // namespace vimg
