#include "fuse/mount.h"

#include <malloc.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "disk/error.h"
#include "fuse/control_thread.h"
#include "fuse/mount_table.h"
#include "fuse/mounted_guest.h"
#include "fuse/session.h"
#include "fuse/status_socket.h"

namespace vimg {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse_mountpoint(const MountOptions& options, int code) {
  // EACCES would mean a reference inside an image that was refused.
  throw_errno(code == EACCES ? EPERM : code, "mount point", options.mountpoint);
}

// Throws Error when nothing can be mounted there; returns it absolute, without symbolic links.
std::string checked_mountpoint(const MountOptions& options) {
  std::error_code error;
  const fs::path mountpoint = fs::canonical(options.mountpoint, error);
  if (error) {
    refuse_mountpoint(options, error.value());
  }
  if (!fs::is_directory(mountpoint)) {
    refuse_mountpoint(options, ENOTDIR);
  }
  for (const std::string& image : options.images) {
    const fs::path directory = fs::weakly_canonical(image, error).parent_path();
    const auto [end, unused] =
        std::mismatch(mountpoint.begin(), mountpoint.end(), directory.begin(), directory.end());
    if (!error && end == mountpoint.end()) {
      throw_error(EINVAL, "mount point",
                  fmt::format("{} would be hidden under its own mount", image));
    }
  }
  return mountpoint;
}

void write_pid_file(const std::string& path) {
  if (path.empty()) {
    return;
  }
  std::ofstream file(path);
  file << getpid() << '\n';
  if (!file.flush()) {
    throw_errno(errno, "pid file", path);
  }
}

void tell_ready(const MountOptions& options) {
  if (options.ready_fd && ::write(*options.ready_fd, "", 1) < 0) {
    throw_errno(errno, "--fd", std::to_string(*options.ready_fd));
  }
}

// What findmnt and df show: the first image.
std::string source_of(const MountOptions& options) {
  std::error_code error;
  const fs::path path = fs::absolute(options.images.front(), error);
  return error ? options.images.front() : path.string();
}

int serve(const MountOptions& options, const Ready& ready) {
  const std::string mountpoint = checked_mountpoint(options);
  MountedGuest guest(options);
  guest.show(options);
  guest.say_warnings();
  Session session(guest.state(), {source_of(options), options.session_words});
  session.mount(mountpoint);
  const auto mounted = find_fuse_mount(mountpoint);
  StatusServer status_server(mounted ? mounted->device : "unknown");
  {
    const ControlThread control(session, status_server, mountpoint, [&] { guest.flush(); });
    write_pid_file(options.pid_file);
    tell_ready(options);
    ready();
    session.serve();
  }
  const FinalStatus status = guest.finish();
  status_server.tell(status);
  if (!status.message.empty()) {
    say(status.message);
  }
  return int(status.code);
}

// One arena for all threads, and no memory that goes to the system and comes back with page faults:
// buffers are large and live long here.
void tune_memory() noexcept {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

}  // namespace

int serve_mount(const MountOptions& options, const Ready& ready) {
  try {
    block_ending_signals();
    return serve(options, ready);
  } catch (const Error& error) {
    say(error.what());
    return int(exit_code_for(error));
  } catch (const std::exception& error) {
    say(error.what());
    return int(ExitCode::cannot_open);
  }
}

int run_vimgmount(int count, const char* const* arguments) {
  tune_memory();
  try {
    const MountOptions options = parse_mount_options(count, arguments);
    if (options.run == MountOptions::Run::foreground) {
      return serve_mount(options, [] {});
    }
    return run_in_background([&](const Ready& ready) { return serve_mount(options, ready); });
  } catch (const Advice& advice) {
    return give(advice);
  }
}

}  // namespace vimg
