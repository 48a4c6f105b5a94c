// FileDescriptor: an open file of the host, closed at the end of its life.
#pragma once

#include <utility>

namespace vimg {

class FileDescriptor {
 public:
  FileDescriptor() noexcept = default;
  // Takes `fd` over; -1 stands for none.
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace vimg
