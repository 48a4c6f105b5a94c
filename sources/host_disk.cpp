#include "sources/host_disk.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <limits>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/escape.h"
#include "disk/file_io.h"
#include "sources/image_lock.h"

namespace vimg {
namespace {

constexpr std::uint64_t max_file_size = std::numeric_limits<off_t>::max();

struct Geometry {
  std::uint64_t size;  // bytes
  std::uint32_t sector_size;
  bool resizable;
};

Geometry device_geometry(int fd, const std::string& path) {
  std::uint64_t size = 0;
  int sector_size = 0;
  if (ioctl(fd, BLKGETSIZE64, &size) != 0 || ioctl(fd, BLKSSZGET, &sector_size) != 0) {
    throw_errno(errno, path, "cannot ask the block device for its size");
  }
  return {size, std::uint32_t(sector_size), false};
}

Geometry geometry_of(int fd, const std::string& path) {
  struct stat status = {};
  if (fstat(fd, &status) != 0) {
    throw_errno(errno, path, "cannot be examined");
  }
  if (S_ISBLK(status.st_mode)) {
    return device_geometry(fd, path);
  }
  if (!S_ISREG(status.st_mode)) {
    throw_error(EINVAL, path, "is neither a regular file nor a block device");
  }
  return {std::uint64_t(status.st_size), 512, true};
}

class HostDisk final : public Disk {
 public:
  HostDisk(FileDescriptor fd, std::string path, Access access, const Geometry& geometry)
      : fd_(std::move(fd)),
        path_(std::move(path)),
        access_(access),
        sector_size_(geometry.sector_size),
        resizable_(geometry.resizable),
        size_(geometry.size) {}

  std::uint64_t size() const noexcept override { return size_; }
  std::uint32_t sector_size() const noexcept override { return sector_size_; }
  bool writable() const noexcept override { return access_ == Access::read_write; }
  int fd() const noexcept { return fd_.get(); }

 private:
  struct Run {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };

  void do_read(std::uint64_t offset, Bytes out) const override;
  void do_write(std::uint64_t offset, ConstBytes data) override;
  void do_write_zeros(std::uint64_t offset, std::uint64_t length) override;
  void do_discard(std::uint64_t offset, std::uint64_t length) override;
  void do_flush() override;
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override;
  void do_resize(std::uint64_t size) override;

  std::uint64_t known_data(std::uint64_t offset) const;
  void remember_data(Run run) const;
  Extent extent_at(std::uint64_t offset, std::uint64_t length, Extent::Kind kind) const noexcept;

  const FileDescriptor fd_;
  const std::string path_;
  const Access access_;
  const std::uint32_t sector_size_;
  const bool resizable_;
  std::atomic<std::uint64_t> size_;
  std::atomic<bool> can_zero_ = true;   // FALLOC_FL_ZERO_RANGE has not been refused so far
  std::atomic<bool> can_punch_ = true;  // nor has FALLOC_FL_PUNCH_HOLE
  std::atomic<int> flush_error_ = 0;    // the errno of the first flush that failed
  mutable std::mutex data_mutex_;       // guards the member below
  mutable Run data_;                    // data that the last search for a hole passed over
};

void HostDisk::do_read(std::uint64_t offset, Bytes out) const {
  const std::uint64_t count = read_file_range(fd_.get(), offset, out, path_);
  if (count < out.size()) {
    throw_error(EIO, path_,
                fmt::format("file ends at {:#x}, it was {:#x} bytes long before; did another "
                            "process cut it",
                            offset + count, size()));
  }
}

void HostDisk::do_write(std::uint64_t offset, ConstBytes data) {
  write_file_range(fd_.get(), offset, data, path_);
}

void HostDisk::do_write_zeros(std::uint64_t offset, std::uint64_t length) {
  remember_data({});
  // EINVAL comes for a range that a block device cannot do, so only regular files remember a no.
  if (can_zero_) {
    if (reshape_file_range(fd_.get(), FALLOC_FL_ZERO_RANGE, offset, length, path_)) {
      return;
    }
    can_zero_ = !resizable_;
  }
  if (can_punch_) {
    if (reshape_file_range(fd_.get(), FALLOC_FL_PUNCH_HOLE, offset, length, path_)) {
      return;
    }
    can_punch_ = !resizable_;
  }
  write_zeros_plainly(offset, length);
}

void HostDisk::do_discard(std::uint64_t offset, std::uint64_t length) {
  remember_data({});
  if (can_punch_ && !reshape_file_range(fd_.get(), FALLOC_FL_PUNCH_HOLE, offset, length, path_)) {
    can_punch_ = !resizable_;
  }
}

// The kernel reports a lost write to one fsync only and then forgets it, so it is kept here.
void HostDisk::do_flush() {
  if (flush_error_ == 0 && fdatasync(fd_.get()) != 0) {
    int none = 0;
    flush_error_.compare_exchange_strong(none, errno);
  }
  if (const int code = flush_error_; code != 0) {
    throw_errno(code, path_, "cannot be flushed, what was written may be lost");
  }
}

Extent HostDisk::extent_at(std::uint64_t offset, std::uint64_t length,
                           Extent::Kind kind) const noexcept {
  return {length, kind, fd_.get(), offset};
}

Extent HostDisk::do_extent(std::uint64_t offset, std::uint64_t max) const {
  if (const std::uint64_t known = known_data(offset)) {
    return extent_at(offset, std::min(known, max), Extent::Kind::data);
  }
  const off_t data = lseek(fd_.get(), off_t(offset), SEEK_DATA);
  if (data < 0) {
    // ENXIO: no data from here to the end.  Anything else: it cannot tell.
    const auto kind = errno == ENXIO ? Extent::Kind::hole : Extent::Kind::data;
    return extent_at(offset, max, kind);
  }
  if (std::uint64_t(data) > offset) {
    return extent_at(offset, std::min(std::uint64_t(data) - offset, max), Extent::Kind::hole);
  }
  const off_t hole = lseek(fd_.get(), off_t(offset), SEEK_HOLE);
  const std::uint64_t end = hole > data ? std::uint64_t(hole) : offset + max;
  remember_data({offset, end});
  return extent_at(offset, std::min(end - offset, max), Extent::Kind::data);
}

// SEEK_HOLE walks page by page on some file systems (tmpfs), so what it passed over is remembered.
// Bytes that turn into a hole behind our back are still rightly called data: "read it to know".
std::uint64_t HostDisk::known_data(std::uint64_t offset) const {
  const std::lock_guard lock(data_mutex_);
  return data_.begin <= offset && offset < data_.end ? data_.end - offset : 0;
}

void HostDisk::remember_data(Run run) const {
  const std::lock_guard lock(data_mutex_);
  data_ = run;
}

void HostDisk::do_resize(std::uint64_t size) {
  if (!writable()) {
    throw_error(EROFS, path_, "opened read-only");
  }
  if (!resizable_) {
    throw_unsupported(path_, "a block device cannot be resized");
  }
  if (size > max_file_size) {
    throw_error(EFBIG, path_, fmt::format("no file can be {:#x} bytes long", size));
  }
  // A shrinking disk ends before the file does, a growing one after it, so that no read meets the
  // end of the file.
  const std::uint64_t before = size_;
  size_ = std::min(before, size);
  if (ftruncate(fd_.get(), off_t(size)) != 0) {
    const int code = errno;
    size_ = before;
    throw_errno(code, path_, fmt::format("cannot be made {:#x} bytes long", size));
  }
  size_ = size;
  remember_data({});
}

}  // namespace

DiskPtr make_host_disk(FileDescriptor fd, std::string path, Access access) {
  const Geometry geometry = geometry_of(fd.get(), path);
  return std::make_shared<HostDisk>(std::move(fd), std::move(path), access, geometry);
}

DiskPtr adopt_file(FileDescriptor fd, const std::string& path, Access access, Locking locking,
                   std::string* warning) {
  const int number = fd.get();
  const std::string shown = printable(path);
  DiskPtr disk = make_host_disk(std::move(fd), shown, access);
  if (warning != nullptr) {
    warning->clear();
  }
  if (locking == Locking::on) {
    lock_image(number, shown, access, warning);
  }
  return disk;
}

FileIdentity file_identity(const Disk& disk) {
  return file_identity(dynamic_cast<const HostDisk&>(disk).fd());
}

}  // namespace vimg
