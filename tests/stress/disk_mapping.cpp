#include "tests/stress/disk_mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "disk/error.h"
#include "disk/file_descriptor.h"

namespace vimg::stress {
namespace {

Bytes map_shared(std::uint64_t length, int flags, int fd) {
  void* const start =
      mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | flags, fd, 0);
  if (start == MAP_FAILED) {
    throw_errno(errno, "mapping", "cannot map");
  }
  return {static_cast<std::byte*>(start), length};
}

}  // namespace

Mapping::Mapping(std::uint64_t length) : bytes_(map_shared(length, MAP_ANONYMOUS, -1)) {}

Mapping::Mapping(const std::string& path, std::uint64_t length) {
  const FileDescriptor fd(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (fd.get() < 0 || ftruncate(fd.get(), off_t(length)) != 0) {
    throw_errno(errno, path, "cannot make the model");
  }
  bytes_ = map_shared(length, 0, fd.get());
}

Mapping::~Mapping() { munmap(bytes_.data(), bytes_.size()); }

}  // namespace vimg::stress
