#include "disk/file_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {
namespace {

[[noreturn]] void throw_io(std::string_view name, std::string_view verb, std::uint64_t offset,
                           std::uint64_t length) {
  const int code = errno;
  throw_errno(code, name, fmt::format("cannot {} {:#x} (+{:#x})", verb, offset, length));
}

}  // namespace

std::uint64_t read_file_range(int fd, std::uint64_t offset, Bytes out, std::string_view name) {
  std::uint64_t done = 0;
  while (done < out.size()) {
    const Bytes rest = out.subspan(done);
    const ssize_t count = pread(fd, rest.data(), rest.size(), off_t(offset + done));
    if (count == 0) {
      break;
    }
    if (count > 0) {
      done += std::uint64_t(count);
    } else if (errno != EINTR) {
      throw_io(name, "read", offset + done, rest.size());
    }
  }
  return done;
}

void write_file_range(int fd, std::uint64_t offset, ConstBytes data, std::string_view name) {
  while (!data.empty()) {
    const ssize_t count = pwrite(fd, data.data(), data.size(), off_t(offset));
    if (count > 0) {
      offset += std::uint64_t(count);
      data = data.subspan(std::size_t(count));
      continue;
    }
    if (count == 0) {
      errno = EIO;  // no file system should do this; without it the loop might not end
    }
    if (errno != EINTR) {
      throw_io(name, "write", offset, data.size());
    }
  }
}

bool reshape_file_range(int fd, int mode, std::uint64_t offset, std::uint64_t length,
                        std::string_view name) {
  while (fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, off_t(offset), off_t(length)) != 0) {
    switch (errno) {
      case EINTR:
        break;
      case EOPNOTSUPP:
      case ENOSYS:
      case ENODEV:
      case EINVAL:  // a block device wants whole sectors
        return false;
      default:
        throw_io(name, "zero", offset, length);
    }
  }
  return true;
}

}  // namespace vimg
