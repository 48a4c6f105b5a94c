#include "fuse/umount.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <thread>

#include <fmt/format.h>

#include "disk/error.h"
#include "fuse/advice.h"
#include "fuse/mount_table.h"
#include "fuse/status_socket.h"
#include "fuse/umount_options.h"

namespace vimg {
namespace {

// What realpath() would give, but without touching the mount itself, as a file system whose
// process is gone answers nothing: the directory above is resolved, the last name is kept.
std::string resolved(const std::string& path) {
  const auto real = [](const std::string& directory) {
    char* text = realpath(directory.c_str(), nullptr);
    std::string result = text != nullptr ? text : "";
    std::free(text);
    return result;
  };
  const std::size_t end = path.find_last_not_of('/');
  const std::string trimmed = path.substr(0, end == std::string::npos ? 1 : end + 1);
  const std::size_t slash = trimmed.rfind('/');
  const std::string name = slash == std::string::npos ? trimmed : trimmed.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") {
    return real(trimmed);
  }
  const std::string parent = real(slash == std::string::npos ? "." : trimmed.substr(0, slash + 1));
  const std::string kept = (parent == "/" ? "" : parent) + "/" + name;
  return find_fuse_mount(kept) ? kept : real(trimmed);
}

// Throws Error(EINVAL) when no vimgmount is mounted there.
MountedFuse mount_at(const std::string& path) {
  const auto mount = find_fuse_mount(resolved(path));
  if (!mount || mount->type != "fuse.vimgmount") {
    throw_error(EINVAL, path, "nothing is mounted there by vimgmount");
  }
  return *mount;
}

// Throws Error(EBUSY …) after the last attempt.
void unmount_patiently(const std::string& mountpoint, const UmountOptions& options) {
  auto pause = std::chrono::milliseconds(50);
  for (unsigned attempt = 1;; ++attempt) {
    const int failed = unmount(mountpoint, options.mode);
    if (failed == 0) {
      return;
    }
    if (failed != EBUSY) {
      throw_errno(failed, options.mountpoint, "cannot be unmounted");
    }
    if (attempt >= options.attempts) {
      throw_error(EBUSY, options.mountpoint,
                  fmt::format("in use: a program has a file open or its directory there; see who "
                              "with 'fuser -vm {}', or use vimgumount --lazy",
                              options.mountpoint));
    }
    std::this_thread::sleep_for(pause);
    pause *= 2;
  }
}

void wait_for_close(int fd) {
  pollfd event{fd, POLLIN | POLLHUP, 0};
  while (poll(&event, 1, -1) < 0 && errno == EINTR) {
  }
}

// Throws Error(EIO) unless the process that served the mount is gone and said that all is written.
// Returns its warnings, a line each.
std::string await_end(std::optional<StatusClient> client, const std::string& mountpoint) {
  if (!client) {
    throw_error(EIO, mountpoint,
                "unmounted, but its process was not found, so nobody says whether all was written");
  }
  const auto status = client->wait();
  if (!status) {
    throw_error(
        EIO, mountpoint,
        fmt::format("process {} ended without saying that all was written", client->process()));
  }
  if (status->code != ExitCode::ok) {
    throw_error(EIO, mountpoint, status->message);
  }
  return status->message;
}

// Returns what the mount had to say, a line each.
std::string umount(const UmountOptions& options) {
  if (options.wait_fd) {
    wait_for_close(*options.wait_fd);
  }
  const MountedFuse mount = mount_at(options.mountpoint);
  auto client = StatusClient::connect(mount.device, mount.owner);
  unmount_patiently(mount.mountpoint, options);
  return options.mode == UnmountMode::when_unused ? await_end(std::move(client), options.mountpoint)
                                                  : std::string();
}

void say(const UmountOptions& options, const std::string& message) {
  if (options.words == UmountOptions::Words::all) {
    std::fputs(fmt::format("vimgumount: {}\n", message).c_str(), stderr);
  }
}

int fail(const UmountOptions& options, ExitCode code, const char* message) {
  say(options, message);
  return int(code);
}

}  // namespace

int run_vimgumount(int count, const char* const* arguments) {
  UmountOptions options;
  try {
    options = parse_umount_options(count, arguments);
    std::istringstream warnings(umount(options));
    for (std::string line; std::getline(warnings, line);) {
      say(options, "warning: " + line);
    }
    return int(ExitCode::ok);
  } catch (const Advice& advice) {
    return give(advice);
  } catch (const Error& error) {
    return fail(options, error.code() == EINVAL ? ExitCode::cannot_open : ExitCode::flush_failed,
                error.what());
  } catch (const std::exception& error) {
    return fail(options, ExitCode::flush_failed, error.what());
  }
}

}  // namespace vimg
