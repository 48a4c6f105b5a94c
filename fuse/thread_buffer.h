// thread_buffer: memory for one reply, kept by each thread for the next one.
#pragma once

#include <cstddef>

#include "disk/bytes.h"

namespace vimg {

// The largest request of the kernel in bytes: 256 pages of 4 KiB.
constexpr std::size_t max_transfer = std::size_t(1) << 20;

// `size` bytes that are this thread's until it calls again.  Memory fresh from the system costs
// more than the copy into it, so it is never given back.  Throws std::bad_alloc.
Bytes thread_buffer(std::size_t size);

}  // namespace vimg
