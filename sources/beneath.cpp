#include "sources/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <string_view>
#include <utility>
#include <vector>

namespace vimg {
namespace {

BeneathResult result_of(int fd) {
  if (fd < 0) {
    return {FileDescriptor(), errno};
  }
  return {FileDescriptor(fd), 0};
}

BeneathResult open_by_kernel(int directory, const std::string& name, int flags) {
  struct open_how how = {};
  how.flags = std::uint64_t(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return result_of(int(syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how)));
}

bool is_symlink(int directory, const std::string& name) noexcept {
  struct stat status = {};
  return fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISLNK(status.st_mode);
}

// The parts of `name` between slashes, without those that mean the same directory.
std::vector<std::string> components_of(std::string_view name) {
  std::vector<std::string> components;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('/'), name.size());
    const std::string_view component = name.substr(0, end);
    if (!component.empty() && component != ".") {
      components.emplace_back(component);
    }
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return components;
}

// Where a walk has come to: the directories from the first one down to the present one.  ".." goes
// back along it and never asks the file system, so a directory that is moved meanwhile leads
// nowhere else.
class Walk {
 public:
  explicit Walk(int root) noexcept : root_(root) {}

  int present() const noexcept { return opened_.empty() ? root_ : opened_.back().get(); }

  // Returns 0 or an errno.
  int step(const std::string& component) {
    if (component == "..") {
      return climb();
    }
    // O_DIRECTORY makes a symbolic link ENOTDIR, like any other file.
    auto [fd, error] = result_of(
        openat(present(), component.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (error != 0) {
      return error == ENOTDIR && is_symlink(present(), component) ? ELOOP : error;
    }
    opened_.push_back(std::move(fd));
    return 0;
  }

 private:
  int climb() {
    if (opened_.empty()) {
      return EXDEV;
    }
    opened_.pop_back();
    return 0;
  }

  const int root_;
  std::vector<FileDescriptor> opened_;
};

BeneathResult open_last(int directory, const std::string& component, int flags) {
  // With O_PATH the link itself would be opened.
  if ((flags & O_PATH) != 0 && is_symlink(directory, component)) {
    return {FileDescriptor(), ELOOP};
  }
  return result_of(openat(directory, component.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
}

}  // namespace

BeneathResult open_beneath(int directory, const std::string& name, int flags) {
  // EAGAIN: something was renamed meanwhile and the kernel could not be sure.
  constexpr int max_attempts = 16;
  for (int attempt = 0; attempt < max_attempts; ++attempt) {
    BeneathResult result = open_by_kernel(directory, name, flags);
    if (result.error == ENOSYS || result.error == EPERM) {
      return open_beneath_by_hand(directory, name, flags);
    }
    if (result.error != EAGAIN) {
      return result;
    }
  }
  return open_beneath_by_hand(directory, name, flags);
}

BeneathResult open_beneath_by_hand(int directory, const std::string& name, int flags) {
  if (name.empty() || name.size() >= PATH_MAX) {
    return {FileDescriptor(), name.empty() ? ENOENT : ENAMETOOLONG};
  }
  if (name.front() == '/') {
    return {FileDescriptor(), EXDEV};
  }
  std::vector<std::string> components = components_of(name);
  if (components.empty() || components.back() == "..") {
    components.emplace_back(".");
  }
  Walk walk(directory);
  for (std::size_t i = 0; i + 1 < components.size(); ++i) {
    if (const int error = walk.step(components[i]); error != 0) {
      return {FileDescriptor(), error};
    }
  }
  const int slash = name.back() == '/' ? O_DIRECTORY : 0;
  return open_last(walk.present(), components.back(), flags | slash);
}

}  // namespace vimg
