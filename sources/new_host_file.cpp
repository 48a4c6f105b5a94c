#include "sources/new_host_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/escape.h"
#include "disk/file_descriptor.h"
#include "sources/host_disk.h"

namespace vimg {
namespace {

namespace fs = std::filesystem;

constexpr int max_tries = 100;  // for a temporary name that is free

class UnflushedDisk final : public Disk {
 public:
  explicit UnflushedDisk(DiskPtr disk) : disk_(std::move(disk)) {}

  std::uint64_t size() const noexcept override { return disk_->size(); }
  std::uint32_t sector_size() const noexcept override { return disk_->sector_size(); }
  bool writable() const noexcept override { return disk_->writable(); }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override { disk_->read(offset, out); }
  void do_write(std::uint64_t offset, ConstBytes data) override { disk_->write(offset, data); }
  void do_write_zeros(std::uint64_t offset, std::uint64_t length) override {
    disk_->write_zeros(offset, length);
  }
  void do_discard(std::uint64_t offset, std::uint64_t length) override {
    disk_->discard(offset, length);
  }
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override {
    return disk_->extent(offset, max);
  }
  void do_resize(std::uint64_t size) override { disk_->resize(size); }

  const DiskPtr disk_;
};

// EACCES is kept for references that were refused.
[[noreturn]] void throw_host(const std::string& path, std::string_view message) {
  throw_errno(errno == EACCES ? EPERM : errno, printable(path), message);
}

[[noreturn]] void throw_exists(const std::string& path) {
  throw_error(EEXIST, printable(path), "exists already; --force replaces it");
}

// A link is replaced where it leads to, so that it stays a link.
std::string followed(const std::string& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  return error ? path : real.string();
}

DiskPtr open_replaced(const std::string& path, Existing existing, Locking locking) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0) {
    return nullptr;
  }
  if (!S_ISREG(status.st_mode)) {
    throw_error(EEXIST, printable(path), "is no regular file, and is not replaced");
  }
  if (existing == Existing::refuse) {
    throw_exists(path);
  }
  return open_host_file(path, Access::read_write, locking, nullptr);
}

std::string descriptor_path(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

// A file without a name can only be given one through /proc.
FileDescriptor open_unnamed(const std::string& directory) {
  FileDescriptor fd(open(directory.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0666));
  if (fd && access(descriptor_path(fd.get()).c_str(), F_OK) != 0) {
    return {};
  }
  return fd;
}

std::string temporary_name(const std::string& path, int number) {
  const fs::path whole(path);
  const std::string name =
      fmt::format(".{}.{}-{}.new", whole.filename().string(), getpid(), number);
  return (whole.parent_path() / name).string();
}

void flush_directory(const std::string& directory) {
  const FileDescriptor fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd && fsync(fd.get()) != 0 && errno != EINVAL) {
    throw_host(directory, "directory cannot be flushed");
  }
}

// As rename(2), but a file at `to` is EEXIST, also where the file system cannot do that at once.
bool rename_to_free(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
    return true;
  }
  return errno == EINVAL && link(from.c_str(), to.c_str()) == 0 && unlink(from.c_str()) == 0;
}

}  // namespace

NewHostFile::NewHostFile(const std::string& path, Existing existing, Locking locking)
    : path_(existing == Existing::replace ? followed(path) : path),
      existing_(existing),
      replaced_(open_replaced(path_, existing, locking)) {
  FileDescriptor fd = open_unnamed(locate(path_).directory);
  for (int number = 0; !fd && number < max_tries; ++number) {
    temporary_ = temporary_name(path_, number);
    fd = FileDescriptor(open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!fd && errno != EEXIST) {
      temporary_.clear();
      throw_host(path, "cannot be created");
    }
  }
  fd_ = fd.get();
  file_ = adopt_file(std::move(fd), path, Access::read_write, locking, nullptr);
  disk_ = std::make_shared<UnflushedDisk>(file_);
}

NewHostFile::~NewHostFile() {
  if (!temporary_.empty()) {
    unlink(temporary_.c_str());
  }
}

void NewHostFile::publish(Flush flush) {
  if (flush == Flush::yes) {
    file_->flush();
  }
  if (existing_ == Existing::replace) {
    put_over();
  } else if (!put_beside(path_)) {
    if (errno == EEXIST) {
      throw_exists(path_);
    }
    throw_host(path_, "cannot be created");
  }
  temporary_.clear();
  if (flush == Flush::yes) {
    flush_directory(locate(path_).directory);
  }
}

bool NewHostFile::put_beside(const std::string& path) const {
  if (!temporary_.empty()) {
    return rename_to_free(temporary_, path);
  }
  return linkat(AT_FDCWD, descriptor_path(fd_).c_str(), AT_FDCWD, path.c_str(),
                AT_SYMLINK_FOLLOW) == 0;
}

void NewHostFile::put_over() {
  for (int number = 0; temporary_.empty() && number < max_tries; ++number) {
    const std::string name = temporary_name(path_, number);
    if (put_beside(name)) {
      temporary_ = name;
    } else if (errno != EEXIST) {
      break;
    }
  }
  if (temporary_.empty() || rename(temporary_.c_str(), path_.c_str()) != 0) {
    throw_host(path_, "cannot be replaced");
  }
}

}  // namespace vimg
