#include "fuse/session.h"

#include <sys/uio.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <thread>

#include <fmt/format.h>

#include "disk/error.h"
#include "fuse/init_flags.h"
#include "fuse/operations.h"

namespace vimg {
namespace {

// Each thread keeps buffers for the largest read and the largest write, 1 MiB each.
constexpr unsigned max_threads = 8;

// The signal that interrupts the wait for the threads, so that stop() is noticed.
constexpr int wake_signal = SIGUSR1;

void say(fuse_log_level, const char* format, va_list arguments) {
  std::vfprintf(stderr, format, arguments);
}

// libfuse splits -o at commas unless a backslash stands before them.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char character : text) {
    if (character == ',' || character == '\\') {
      result.push_back('\\');
    }
    result.push_back(character);
  }
  return result;
}

std::string option_words(const MountState& mount, const SessionOptions& options) {
  std::string words = "nosuid,nodev,subtype=vimgmount,fsname=" + escaped(options.source);
  words += mount.writable() ? ",rw" : ",ro";
  for (const std::string& word : options.words) {
    words += "," + word;
  }
  return words;
}

// Not noexcept: libfuse ends its threads by cancelling them here, which unwinds like an exception.
ssize_t read_request(int fd, void* buffer, std::size_t size, void*) {
  return read(fd, buffer, size);
}

// The first answer is that to INIT.
ssize_t write_answer(int fd, iovec* parts, int count, void* user_data) noexcept {
  auto& greeted = static_cast<MountState*>(user_data)->greeted;
  if (!greeted.load(std::memory_order_relaxed) && !greeted.exchange(true)) {
    add_init_flags(parts, count);
  }
  return writev(fd, parts, count);
}

void interrupt_waiting() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  sigaction(wake_signal, &action, nullptr);
}

}  // namespace

Session::Session(MountState& mount, const SessionOptions& options)
    : serving_thread_(pthread_self()) {
  fuse_set_log_func(say);
  interrupt_waiting();
  const std::string words = option_words(mount, options);
  const char* arguments[] = {"vimgmount", "-o", words.c_str()};
  fuse_args args = FUSE_ARGS_INIT(3, const_cast<char**>(arguments));
  static const fuse_lowlevel_ops operations = mount_operations();
  session_ = fuse_session_new(&args, &operations, sizeof(operations), &mount);
  fuse_opt_free_args(&args);
  if (session_ == nullptr) {
    throw_error(EINVAL, "mount", "FUSE does not take these options");
  }
  mount.forget_attributes = [this](NodeId node) {
    // A negative offset leaves the cached bytes alone.
    fuse_lowlevel_notify_inval_inode(session_, node, -1, 0);
  };
  mount.after_write_back = [this](NodeId node, std::function<void()> action) {
    write_back_.post([this, node, action = std::move(action)] {
      // Cached pages that are dropped are written first.
      fuse_lowlevel_notify_inval_inode(session_, node, 0, 0);
      action();
    });
  };
}

Session::~Session() {
  fuse_session_unmount(session_);
  write_back_.finish();
  fuse_session_destroy(session_);
}

void Session::mount(const std::string& mountpoint) {
  if (fuse_session_mount(session_, mountpoint.c_str()) != 0) {
    throw_error(EIO, mountpoint, "cannot be mounted on");
  }
  answer_through_hook();
}

void Session::answer_through_hook() {
  fuse_custom_io io{};
  io.read = read_request;
  io.writev = write_answer;
  if (fuse_session_custom_io(session_, &io, fuse_session_fd(session_)) != 0) {
    throw_error(ENOMEM, "mount", "FUSE does not take a hook");
  }
}

void Session::serve() {
  fuse_loop_config* config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(config, 1);
  fuse_loop_cfg_set_max_threads(config, max_threads);
  fuse_loop_cfg_set_idle_threads(config, max_threads);
  fuse_session_loop_mt(session_, config);
  fuse_loop_cfg_destroy(config);
}

void Session::stop() noexcept {
  fuse_session_exit(session_);
  pthread_kill(serving_thread_, wake_signal);
}

}  // namespace vimg
