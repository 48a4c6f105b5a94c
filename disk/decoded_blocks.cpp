#include "disk/decoded_blocks.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "disk/worker_pool.h"

namespace vimg {
namespace {

constexpr std::uint64_t max_window = 1U << 20;

}  // namespace

DecodedBlocks::DecodedBlocks(std::uint64_t block_size, std::uint64_t cache_bytes)
    : block_size_(block_size),
      cache_bytes_(std::max(cache_bytes, 4 * block_size)),
      cache_(block_size, cache_bytes_) {}

DecodedBlocks::~DecodedBlocks() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return prefetching_ == 0; });
}

std::uint64_t DecodedBlocks::window() const noexcept {
  return std::clamp(max_window, std::min(2 * block_size_, cache_bytes_ / 3), cache_bytes_ / 3);
}

BlockCache::Block DecodedBlocks::get(std::uint64_t key, const Decode& decode) {
  return cache_.get(key, decode);
}

void DecodedBlocks::prefetch(std::uint64_t key, Decode decode) {
  WorkerPool& pool = WorkerPool::shared();
  if (pool.thread_count() == 0 || cache_.peek(key)) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    ++prefetching_;
  }
  pool.submit([this, key, decode = std::move(decode)] {
    try {
      get(key, decode);
    } catch (const std::exception&) {
      // Nobody has asked for this block yet; who does meets the error.
    }
    finish_prefetch();
  });
}

// Notifies under the lock, as the destructor may go on as soon as it is free.
void DecodedBlocks::finish_prefetch() noexcept {
  const std::lock_guard lock(mutex_);
  --prefetching_;
  idle_.notify_all();
}

void DecodedBlocks::forget(std::uint64_t key) { cache_.invalidate(key); }

}  // namespace vimg
