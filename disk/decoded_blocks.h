// DecodedBlocks: blocks that have to be decoded before they can be read, cached and fetched ahead.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "disk/block_cache.h"

namespace vimg {

// Threads: any.  Each block is decoded once however many want it; different ones at once.
class DecodedBlocks {
 public:
  // Decodes the block numbered `key` into the whole of `out`; called from any thread.
  using Decode = BlockCache::Load;

  // `block_size`: bytes of a decoded block, or of the largest one.
  DecodedBlocks(std::uint64_t block_size, std::uint64_t cache_bytes);
  // Waits for what prefetch() began.
  ~DecodedBlocks();
  DecodedBlocks(const DecodedBlocks&) = delete;
  DecodedBlocks& operator=(const DecodedBlocks&) = delete;

  // How many bytes it makes sense to prefetch: what the cache holds several times.
  std::uint64_t window() const noexcept;

  // Throws as `decode` does.
  BlockCache::Block get(std::uint64_t key, const Decode& decode);
  // Begins to decode it in another thread, where there is one.  What `decode` refers to must
  // outlive this object.
  void prefetch(std::uint64_t key, Decode decode);
  // What the key stands for has changed.
  void forget(std::uint64_t key);

 private:
  void finish_prefetch() noexcept;

  const std::uint64_t block_size_;
  const std::uint64_t cache_bytes_;
  BlockCache cache_;
  std::mutex mutex_;  // guards the member below; never held while decoding
  std::size_t prefetching_ = 0;
  std::condition_variable idle_;
};

}  // namespace vimg
