#include "disk/read_ahead.h"

#include <algorithm>

namespace vimg {

ReadAhead::Range ReadAhead::note(std::uint64_t offset, std::uint64_t end) {
  const std::lock_guard lock(mutex_);
  Stream* stream = stream_at(offset);
  if (stream == nullptr) {
    streams_[oldest_] = {end, end};
    oldest_ = (oldest_ + 1) % streams_.size();
    return {offset, end};
  }
  stream->end = std::max(stream->end, end);
  const std::uint64_t begin = std::max(stream->fetched, offset);
  stream->fetched = std::max(begin, stream->end + window_);
  return {begin, stream->fetched};
}

// The kernel has several requests of one reader under way, and they may overtake each other.
ReadAhead::Stream* ReadAhead::stream_at(std::uint64_t offset) {
  const auto found = std::ranges::find_if(streams_, [&](const Stream& stream) {
    return stream.end != 0 && offset <= stream.end + window_ / 2 &&
           stream.end <= offset + window_ / 2;
  });
  return found == streams_.end() ? nullptr : &*found;
}

}  // namespace vimg
