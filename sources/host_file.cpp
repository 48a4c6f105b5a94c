#include "sources/host_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "disk/error.h"
#include "disk/escape.h"
#include "sources/host_disk.h"

namespace vimg {
namespace {

// EACCES is kept for references that were refused.
[[noreturn]] void throw_host(int code, const std::string& path, std::string_view message) {
  throw_errno(code == EACCES ? EPERM : code, printable(path), message);
}

// Looked at before it is opened, as opening a FIFO waits and opening a device may do anything.
mode_t type_of(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) {
    throw_host(errno, path, "cannot be opened");
  }
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
    throw_error(EINVAL, printable(path), "is neither a regular file nor a block device");
  }
  return status.st_mode;
}

// O_EXCL without O_CREAT claims a block device, so that it is not written while it is mounted.
int open_flags(Access access, mode_t type) noexcept {
  const int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  if (access == Access::read_only) {
    return flags | O_RDONLY;
  }
  return flags | O_RDWR | (S_ISBLK(type) ? O_EXCL : 0);
}

// The name of a new file is durable once its directory is.
void flush_directory(const std::string& directory) {
  const FileDescriptor fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd && fsync(fd.get()) != 0 && errno != EINVAL) {
    throw_host(errno, directory, "directory cannot be flushed");
  }
}

}  // namespace

DiskPtr open_host_file(const std::string& path, Access access, Locking locking,
                       std::string* warning) {
  const mode_t type = type_of(path);
  FileDescriptor fd(open(path.c_str(), open_flags(access, type)));
  if (!fd) {
    throw_host(errno, path, "cannot be opened");
  }
  return adopt_file(std::move(fd), path, access, locking, warning);
}

DiskPtr create_host_file(const std::string& path, Locking locking) {
  FileDescriptor fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!fd) {
    throw_host(errno, path, "cannot be created");
  }
  flush_directory(locate(path).directory);
  return adopt_file(std::move(fd), path, Access::read_write, locking, nullptr);
}

std::vector<std::string> names_beside(const HostLocation& from, std::string_view prefix) {
  constexpr std::size_t max_names = 10'000;
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(from.directory, error), end;
       !error && entry != end && names.size() < max_names; entry.increment(error)) {
    if (std::string name = entry->path().filename().string(); name.starts_with(prefix)) {
      names.push_back(std::move(name));
    }
  }
  std::ranges::sort(names);
  return names;
}

HostLocation locate(const std::string& path) {
  std::string directory = std::filesystem::path(path).parent_path().string();
  if (directory.empty()) {
    directory = ".";
  }
  return {path, directory, directory};
}

FileIdentity file_identity(int fd) {
  struct stat status = {};
  if (fstat(fd, &status) != 0) {
    throw_errno(errno, "file", "cannot be examined");
  }
  return {status.st_dev, status.st_ino};
}

}  // namespace vimg
