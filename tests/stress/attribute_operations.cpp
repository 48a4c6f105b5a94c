#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "tests/stress/operations.h"
#include "tests/stress/xattrs.h"

namespace vimg::stress {
namespace {

struct Target {
  NodePtr node;
  std::string path;
};

// Something with a name: mostly what random_entry() gives, sometimes the root.
std::optional<Target> random_target(Worker& worker) {
  if (worker.random().percent(2)) {
    return Target{worker.model().root(), "."};
  }
  const auto name = worker.random_entry();
  if (!name) {
    return std::nullopt;
  }
  return Target{name->directory->children.at(name->name), worker.model().path(*name)};
}

void change_mode(Worker& worker) {
  const auto target = random_target(worker);
  if (!target || target->node->is_symlink()) {
    return;
  }
  mode_t mode = mode_t(worker.random().below(01000));
  if (!worker.is_superuser()) {
    mode |= target->node->is_directory() ? 0700 : 0600;
  } else if (worker.random().percent(10)) {
    // The sticky bit only on directories: elsewhere it means nothing, and FUSE loses it on chown.
    mode = mode_t(worker.random().below(010000));
    mode &= target->node->is_directory() ? mode_t(07777) : mode_t(06777);
  }
  worker.log("chmod {} to {:o}", target->path, mode);
  if (worker.succeeded(fchmodat(worker.root_fd(), target->path.c_str(), mode, 0), "chmod")) {
    target->node->mode = (target->node->mode & S_IFMT) | mode;
  }
}

void change_owner(Worker& worker) {
  const auto target = worker.is_superuser() ? random_target(worker) : std::nullopt;
  if (!target) {
    return;
  }
  static constexpr std::array<uid_t, 7> ids = {0, 1, 1000, 65534, 65536, 100000, 4294967294U};
  const uid_t uid = worker.random().pick(ids);
  const gid_t gid = worker.random().pick(ids);
  worker.log("chown {} to {}:{}", target->path, uid, gid);
  Node& node = *target->node;
  if (worker.succeeded(
          fchownat(worker.root_fd(), target->path.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW),
          "chown")) {
    node.uid = uid;
    node.gid = gid;
    if (!node.is_directory()) {  // Linux takes these away from root's chown, too
      node.mode &= ~mode_t(S_ISUID);
      node.mode &= (node.mode & S_IXGRP) != 0 ? ~mode_t(S_ISGID) : ~mode_t(0);
    }
  }
}

timespec random_time(Worker& worker) {
  // ext4 keeps 1901 to 2446, but e2fsck doubts what is after 2310; in the very first and last
  // second that it keeps the kernel drops nanoseconds.
  static constexpr std::array<time_t, 8> seconds = {
      -2147483647, -1, 0, 1, 2147483647, 2147483648, 4294967296, 10737418238};
  time_t second = worker.random().percent(30) ? worker.random().pick(seconds)
                                              : time_t(worker.random().below(10737418238));
  if (!worker.options().abilities.times_after_2038) {
    second = std::min<time_t>(second, 2147483647);
  }
  const bool nanoseconds = worker.options().abilities.nanoseconds;
  return {second, nanoseconds ? long(worker.random().below(1000000000)) : 0};
}

void set_times(Worker& worker) {
  const auto target = random_target(worker);
  if (!target) {
    return;
  }
  const std::array<timespec, 2> times{random_time(worker), random_time(worker)};
  worker.log("utimensat {} to {}.{:09} and {}.{:09}", target->path, times[0].tv_sec,
             times[0].tv_nsec, times[1].tv_sec, times[1].tv_nsec);
  const char* path = target->path.c_str();
  if (!worker.succeeded(utimensat(worker.root_fd(), path, times.data(), AT_SYMLINK_NOFOLLOW),
                        "utimensat")) {
    return;
  }
  target->node->mtime = times[1];
  struct stat status {};
  if (worker.succeeded(fstatat(worker.root_fd(), path, &status, AT_SYMLINK_NOFOLLOW), "stat") &&
      (status.st_atim.tv_sec != times[0].tv_sec || status.st_atim.tv_nsec != times[0].tv_nsec)) {
    worker.fail(fmt::format("{}: atime is {}.{:09}", target->path, status.st_atim.tv_sec,
                            status.st_atim.tv_nsec));
  }
}

void look_at(Worker& worker) {
  const auto target = random_target(worker);
  if (!target) {
    return;
  }
  worker.log("stat {}", target->path);
  struct stat status {};
  if (fstatat(worker.root_fd(), target->path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    worker.fail_errno("stat " + target->path);
  }
  check_status(worker, *target->node, status, target->path);
}

bool takes_xattrs(const Worker& worker, const Node& node) {
  return worker.options().abilities.xattrs && (node.is_regular() || node.is_directory());
}

void set_xattr(Worker& worker) {
  const auto target = random_target(worker);
  if (!target || !takes_xattrs(worker, *target->node)) {
    return;
  }
  Random& random = worker.random();
  const std::string name = random.percent(90) ? fmt::format("user.x{}", random.below(8))
                                              : "user." + std::string(200, 'n');
  const auto data = random.bytes(random.percent(85) ? random.below(60) : random.below(3000));
  const std::string value(reinterpret_cast<const char*>(data.data()), data.size());
  const int flags = random.percent(70) ? 0 : int(random.between(XATTR_CREATE, XATTR_REPLACE));
  worker.log("setxattr {} {} of {} bytes, flags {}", target->path, name, value.size(), flags);
  auto& xattrs = target->node->xattrs;
  const bool there = xattrs.contains(name);
  const int result = set_xattr_at(worker, target->path, name, value, flags);
  if (flags == XATTR_CREATE && there) {
    worker.must_fail(result, "setxattr", {EEXIST});
  } else if (flags == XATTR_REPLACE && !there) {
    worker.must_fail(result, "setxattr", {ENODATA});
  } else if (worker.succeeded(result, "setxattr", {E2BIG, ERANGE})) {
    xattrs[name] = value;
  }
}

void remove_xattr(Worker& worker) {
  const auto target = random_target(worker);
  if (!target || !takes_xattrs(worker, *target->node)) {
    return;
  }
  auto& xattrs = target->node->xattrs;
  const std::string name =
      xattrs.empty() || worker.random().percent(10)
          ? "user.missing"
          : std::next(xattrs.begin(), std::ptrdiff_t(worker.random().below(xattrs.size())))->first;
  worker.log("removexattr {} {}", target->path, name);
  const int result = remove_xattr_at(worker, target->path, name);
  if (!xattrs.contains(name)) {
    worker.must_fail(result, "removexattr", {ENODATA});
  } else if (worker.succeeded(result, "removexattr")) {
    xattrs.erase(name);
  }
}

void compare_xattrs(Worker& worker) {
  const auto target = random_target(worker);
  if (!target || !takes_xattrs(worker, *target->node)) {
    return;
  }
  worker.log("listxattr and getxattr {}", target->path);
  check_xattrs(worker, *target->node, target->path);
}

constexpr std::array operations = {
    Operation{"chmod", 6, change_mode},           Operation{"chown", 6, change_owner},
    Operation{"utimensat", 8, set_times},         Operation{"stat", 25, look_at},
    Operation{"setxattr", 12, set_xattr},         Operation{"removexattr", 4, remove_xattr},
    Operation{"check-xattrs", 6, compare_xattrs},
};

}  // namespace

std::span<const Operation> attribute_operations() { return operations; }

}  // namespace vimg::stress
