// BlockCache: blocks of one size by number, each loaded once however many threads want it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "disk/bytes.h"

namespace vimg {

// A bounded, shared cache.  A block that is being loaded by one thread is waited for by the others;
// blocks in use are pinned by their shared_ptr and are not counted when they have been evicted.
// All members may be called from any thread; no lock is held while `load` runs.
class BlockCache {
 public:
  using Block = std::shared_ptr<const std::vector<std::byte>>;
  // Fills the block numbered `key`.  Throws to refuse; nothing is cached then, waiters try again.
  using Load = std::function<void(std::uint64_t key, Bytes out)>;

  BlockCache(std::size_t block_size, std::size_t capacity_bytes);
  ~BlockCache();

  std::size_t block_size() const noexcept;
  Block get(std::uint64_t key, const Load& load);
  // The block if it is there; never loads or waits.
  Block peek(std::uint64_t key) const;
  // Forgets one block; a load of it that is in flight is not cached either.
  void invalidate(std::uint64_t key);
  void clear();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vimg
