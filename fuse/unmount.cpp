#include "fuse/unmount.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace vimg {
namespace {

std::string output_of(int fd) {
  std::string text;
  std::array<char, 512> buffer{};
  for (ssize_t count; (count = read(fd, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), std::size_t(count));
  }
  return text;
}

struct Outcome {
  int status;  // as waitpid has it; -1 when it could not be started
  std::string errors;
};

// Runs `arguments` with stderr caught, and in the C locale, as the words are looked at.
Outcome run(const char* const* arguments) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return {-1, {}};
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, arguments[0], &actions, nullptr,
                                  const_cast<char* const*>(arguments), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  Outcome outcome{-1, {}};
  if (failed == 0) {
    outcome.errors = output_of(ends[0]);
    waitpid(child, &outcome.status, 0);
  }
  close(ends[0]);
  return outcome;
}

int ask_fusermount(const std::string& mountpoint, UnmountMode mode) {
  const char* const flags = mode == UnmountMode::lazy ? "-uz" : "-u";
  const std::array<const char*, 5> arguments{"fusermount3", flags, "--", mountpoint.c_str(),
                                             nullptr};
  const Outcome outcome = run(arguments.data());
  if (outcome.status == 0) {
    return 0;
  }
  return outcome.errors.find("busy") != std::string::npos ? EBUSY : EPERM;
}

}  // namespace

int unmount(const std::string& mountpoint, UnmountMode mode) {
  const int flags = UMOUNT_NOFOLLOW | (mode == UnmountMode::lazy ? MNT_DETACH : 0);
  if (umount2(mountpoint.c_str(), flags) == 0) {
    return 0;
  }
  return errno == EPERM ? ask_fusermount(mountpoint, mode) : errno;
}

}  // namespace vimg
