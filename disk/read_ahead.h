// ReadAhead: notices sequential readers and says what they will want next.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

namespace vimg {

// Threads: any.
class ReadAhead {
 public:
  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
  };

  // `window`: how many bytes to be ahead of a sequential reader.
  explicit ReadAhead(std::uint64_t window) : window_(window) {}

  // Notes a read of [offset, end).  What should be fetched for it and after it that was not said
  // before: the read itself, and a window more when it goes on where another ended.
  Range note(std::uint64_t offset, std::uint64_t end);

 private:
  // A reader: where its reads have got to, and what was said to be fetched for it.
  struct Stream {
    std::uint64_t end = 0;
    std::uint64_t fetched = 0;
  };

  Stream* stream_at(std::uint64_t offset);

  const std::uint64_t window_;
  std::mutex mutex_;  // guards all below
  std::array<Stream, 4> streams_;
  std::size_t oldest_ = 0;
};

}  // namespace vimg
