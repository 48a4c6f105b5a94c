// Mapping: memory that processes share, or a file's content as memory.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "disk/bytes.h"

namespace vimg::stress {

// Movable nowhere; unmapped at the end.  What was never touched takes no memory.
class Mapping {
 public:
  // `length` zeros, shared with processes forked later.
  explicit Mapping(std::uint64_t length);
  // The file at `path`, made anew with `length` zeros.
  Mapping(const std::string& path, std::uint64_t length);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  Bytes bytes() const noexcept { return bytes_; }

 private:
  Bytes bytes_;
};

// An array in such memory.
template <typename T>
class SharedArray {
 public:
  explicit SharedArray(std::uint64_t count) : mapping_(count * sizeof(T)) {}

  std::span<T> get() const noexcept {
    return {static_cast<T*>(static_cast<void*>(mapping_.bytes().data())),
            mapping_.bytes().size() / sizeof(T)};
  }

 private:
  const Mapping mapping_;
};

}  // namespace vimg::stress
