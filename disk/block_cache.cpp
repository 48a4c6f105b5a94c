#include "disk/block_cache.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace vimg {
namespace {

using Buffer = std::unique_ptr<std::vector<std::byte>>;

constexpr std::size_t max_shards = 16;
// A shard with fewer slots evicts what is still in use too often.
constexpr std::size_t min_shard_blocks = 8;
constexpr std::size_t max_spare_blocks = 8;

// Buffers that no block uses any more.  Touching fresh memory costs more than reading a block of it
// from the page cache, so buffers are used again.
class BufferPool {
 public:
  BufferPool(std::size_t block_size, std::size_t max_spares)
      : block_size_(block_size), max_spares_(max_spares) {
    spares_.reserve(max_spares);
  }

  Buffer take() {
    {
      const std::lock_guard lock(mutex_);
      if (!spares_.empty()) {
        Buffer buffer = std::move(spares_.back());
        spares_.pop_back();
        return buffer;
      }
    }
    return std::make_unique<std::vector<std::byte>>(block_size_);
  }

  void give(Buffer buffer) noexcept {
    const std::lock_guard lock(mutex_);
    if (spares_.size() < max_spares_) {
      spares_.push_back(std::move(buffer));
    }
  }

 private:
  const std::size_t block_size_;
  const std::size_t max_spares_;
  std::mutex mutex_;  // guards the spares
  std::vector<Buffer> spares_;
};

// The block that gives `buffer` back to `pool`, which may outlive the cache, when nobody holds it.
BlockCache::Block make_block(Buffer buffer, const std::shared_ptr<BufferPool>& pool) {
  std::vector<std::byte>* const content = buffer.release();
  return {content, [pool](std::vector<std::byte>* unused) { pool->give(Buffer(unused)); }};
}

// A load that is under way.  The shard's mutex guards it.
struct Flight {
  bool landed = false;
  BlockCache::Block block;  // null when the load failed
};

// The blocks that share a lock.  CLOCK replacement: a hit sets a flag, and the hand passes over
// flagged slots once.
class Shard {
 public:
  explicit Shard(std::size_t capacity) : capacity_(capacity) { slots_.reserve(capacity); }

  BlockCache::Block get(std::uint64_t key, const BlockCache::Load& load,
                        const std::shared_ptr<BufferPool>& pool);
  BlockCache::Block peek(std::uint64_t key) const;
  void invalidate(std::uint64_t key);
  void clear();

 private:
  struct Slot {
    std::uint64_t key;
    BlockCache::Block block;  // null: free
    bool used_again;
  };

  BlockCache::Block find_or_take_off(std::uint64_t key, std::shared_ptr<Flight>& flight);
  BlockCache::Block find(std::uint64_t key);
  void land(std::uint64_t key, const std::shared_ptr<Flight>& flight, BlockCache::Block block);
  BlockCache::Block insert(std::uint64_t key, BlockCache::Block block);
  Slot& victim();

  const std::size_t capacity_;
  mutable std::mutex mutex_;  // guards all members below; never held while loading
  std::condition_variable landed_;
  std::unordered_map<std::uint64_t, std::size_t> index_;  // key to slot
  std::vector<Slot> slots_;
  std::size_t hand_ = 0;
  std::unordered_map<std::uint64_t, std::shared_ptr<Flight>> flights_;
};

BlockCache::Block Shard::get(std::uint64_t key, const BlockCache::Load& load,
                             const std::shared_ptr<BufferPool>& pool) {
  std::shared_ptr<Flight> flight;
  if (BlockCache::Block block = find_or_take_off(key, flight)) {
    return block;
  }
  try {
    Buffer buffer = pool->take();
    load(key, *buffer);
    BlockCache::Block block = make_block(std::move(buffer), pool);
    land(key, flight, block);
    return block;
  } catch (...) {
    land(key, flight, nullptr);
    throw;
  }
}

// The block, waited for while another thread loads it; or null and `flight`, which the caller has
// to land.  Who waited for a load that failed tries itself.
BlockCache::Block Shard::find_or_take_off(std::uint64_t key, std::shared_ptr<Flight>& flight) {
  std::unique_lock lock(mutex_);
  while (true) {
    if (BlockCache::Block block = find(key)) {
      return block;
    }
    const auto [entry, is_first] = flights_.try_emplace(key, nullptr);
    if (is_first) {
      flight = entry->second = std::make_shared<Flight>();
      return nullptr;
    }
    const std::shared_ptr<Flight> other = entry->second;
    landed_.wait(lock, [&] { return other->landed; });
    if (other->block) {
      return other->block;
    }
  }
}

// A hit, marked as such; null when it is not there.
BlockCache::Block Shard::find(std::uint64_t key) {
  const auto found = index_.find(key);
  if (found == index_.end()) {
    return nullptr;
  }
  Slot& slot = slots_[found->second];
  slot.used_again = true;
  return slot.block;
}

// A flight that invalidate() took off the list meanwhile is given to those who waited, but not
// kept.
void Shard::land(std::uint64_t key, const std::shared_ptr<Flight>& flight,
                 BlockCache::Block block) {
  BlockCache::Block evicted;  // its buffer goes back to the pool after the lock is released
  {
    const std::lock_guard lock(mutex_);
    flight->landed = true;
    flight->block = block;
    const auto listed = flights_.find(key);
    if (listed != flights_.end() && listed->second == flight) {
      flights_.erase(listed);
      if (block) {
        evicted = insert(key, std::move(block));
      }
    }
  }
  landed_.notify_all();
}

// Returns what had to go.
BlockCache::Block Shard::insert(std::uint64_t key, BlockCache::Block block) {
  Slot& slot = victim();
  if (slot.block) {
    index_.erase(slot.key);
  }
  index_[key] = std::size_t(&slot - slots_.data());
  slot.key = key;
  slot.used_again = false;
  return std::exchange(slot.block, std::move(block));
}

// Ends within two rounds, as the first one clears every flag.
Shard::Slot& Shard::victim() {
  if (slots_.size() < capacity_) {
    return slots_.emplace_back();
  }
  while (true) {
    Slot& slot = slots_[hand_];
    hand_ = (hand_ + 1) % capacity_;
    if (!slot.block || !std::exchange(slot.used_again, false)) {
      return slot;
    }
  }
}

BlockCache::Block Shard::peek(std::uint64_t key) const {
  const std::lock_guard lock(mutex_);
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : slots_[found->second].block;
}

void Shard::invalidate(std::uint64_t key) {
  BlockCache::Block forgotten;
  const std::lock_guard lock(mutex_);
  flights_.erase(key);
  if (const auto found = index_.find(key); found != index_.end()) {
    forgotten = std::move(slots_[found->second].block);
    slots_[found->second].block = nullptr;
    index_.erase(found);
  }
}

void Shard::clear() {
  std::vector<Slot> forgotten;
  const std::lock_guard lock(mutex_);
  flights_.clear();
  index_.clear();
  forgotten.swap(slots_);
  slots_.reserve(capacity_);
  hand_ = 0;
}

std::size_t shard_count(std::size_t capacity) noexcept {
  std::size_t count = 1;
  while (count < max_shards && capacity / (count * 2) >= min_shard_blocks) {
    count *= 2;
  }
  return count;
}

}  // namespace

struct BlockCache::Impl {
  Impl(std::size_t size, std::size_t capacity)
      : block_size(size),
        pool(std::make_shared<BufferPool>(
            size, std::clamp<std::size_t>(capacity / 4, 1, max_spare_blocks))) {
    const std::size_t count = shard_count(capacity);
    for (std::size_t i = 0; i < count; ++i) {
      shards.push_back(std::make_unique<Shard>(std::max<std::size_t>(capacity / count, 1)));
    }
  }

  // Keys may be offsets, all alike in their low bits: Fibonacci hashing mixes every bit into the
  // upper ones.  The count of shards is a power of two.
  Shard& shard(std::uint64_t key) const {
    return *shards[((key * 0x9e3779b97f4a7c15) >> 32) & (shards.size() - 1)];
  }

  const std::size_t block_size;
  const std::shared_ptr<BufferPool> pool;
  std::vector<std::unique_ptr<Shard>> shards;
};

BlockCache::BlockCache(std::size_t block_size, std::size_t capacity_bytes)
    : impl_(std::make_unique<Impl>(block_size, capacity_bytes / block_size)) {}

BlockCache::~BlockCache() = default;

std::size_t BlockCache::block_size() const noexcept { return impl_->block_size; }

BlockCache::Block BlockCache::get(std::uint64_t key, const Load& load) {
  return impl_->shard(key).get(key, load, impl_->pool);
}

BlockCache::Block BlockCache::peek(std::uint64_t key) const { return impl_->shard(key).peek(key); }

void BlockCache::invalidate(std::uint64_t key) { impl_->shard(key).invalidate(key); }

void BlockCache::clear() {
  for (const auto& shard : impl_->shards) {
    shard->clear();
  }
}

}  // namespace vimg
