#include "fuse/thread_buffer.h"

#include <algorithm>
#include <vector>

namespace vimg {

Bytes thread_buffer(std::size_t size) {
  thread_local std::vector<std::byte> buffer;
  if (buffer.size() < size) {
    buffer.resize(std::max(size, max_transfer));
  }
  return Bytes(buffer).first(size);
}

}  // namespace vimg
