#include "fsdrivers/ext4_write_cache.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"

namespace vimg::ext4 {
namespace {

constexpr std::size_t longest_write = 1 << 20;  // bytes of neighbours joined into one write

}  // namespace

MetadataCache::MetadataCache(DiskPtr disk, std::uint32_t block_size, std::size_t clean_limit,
                             std::size_t dirty_limit)
    : disk_(std::move(disk)),
      block_size_(block_size),
      clean_limit_(std::max<std::size_t>(clean_limit / block_size, 16)),
      dirty_limit_(std::max<std::size_t>(dirty_limit / block_size, 16)) {}

Block MetadataCache::get(std::uint64_t number, const Verify& verify) {
  std::uint64_t version = 0;
  {
    const std::lock_guard lock(mutex_);
    if (Block block = find(number)) {
      return block;
    }
    version = version_;
  }
  if (number >= disk_->size() / block_size_) {
    throw_corrupt(layer, fmt::format("block {:#x} lies beyond the end of the disk", number));
  }
  auto bytes = std::make_shared<std::vector<std::byte>>(block_size_);
  disk_->read(number * block_size_, *bytes);
  if (verify) {
    verify(*bytes);
  }
  insert_clean(number, bytes, version);
  return bytes;
}

Block MetadataCache::peek(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  return find(number);
}

void MetadataCache::overlay(std::uint64_t offset, Bytes data) const {
  if (data.empty() || dirty_count_.load(std::memory_order_acquire) == 0) {
    return;
  }
  const std::lock_guard lock(mutex_);
  const std::uint64_t end = offset + data.size();
  for (std::uint64_t number = offset / block_size_; number * block_size_ < end; ++number) {
    const auto found = entries_.find(number);
    if (found == entries_.end() || found->second.state == State::clean) {
      continue;
    }
    const std::uint64_t from = std::max(offset, number * block_size_);
    const std::uint64_t to = std::min(end, (number + 1) * block_size_);
    std::copy_n(found->second.block->begin() + std::ptrdiff_t(from % block_size_), to - from,
                data.begin() + std::ptrdiff_t(from - offset));
  }
}

Block MetadataCache::find(std::uint64_t number) {
  const auto found = entries_.find(number);
  if (found == entries_.end()) {
    return nullptr;
  }
  if (found->second.state == State::clean) {
    used_.splice(used_.begin(), used_, found->second.used);
  }
  return found->second.block;
}

void MetadataCache::insert_clean(std::uint64_t number, Block block, std::uint64_t version) {
  const std::lock_guard lock(mutex_);
  // What was published meanwhile may be newer than what was read.
  if (version != version_ || entries_.count(number) != 0) {
    return;
  }
  used_.push_front(number);
  entries_.emplace(number, Entry{std::move(block), State::clean, used_.begin()});
  evict();
}

void MetadataCache::evict() {
  while (used_.size() > clean_limit_) {
    entries_.erase(used_.back());
    used_.pop_back();
  }
}

void MetadataCache::publish(std::uint64_t number, Block block) {
  const std::lock_guard lock(mutex_);
  ++version_;
  const auto [place, is_new] =
      entries_.try_emplace(number, Entry{nullptr, State::dirty, used_.end()});
  Entry& entry = place->second;
  if (!is_new && entry.state == State::clean) {
    used_.erase(entry.used);
  }
  if (is_new || entry.state == State::clean) {
    ++dirty_count_;
  }
  entry = Entry{std::move(block), State::dirty, used_.end()};
}

void MetadataCache::forget(std::uint64_t number) {
  std::unique_lock lock(mutex_);
  ++version_;
  auto found = entries_.find(number);
  if (found != entries_.end() && found->second.state == State::writing) {
    // Its write may not land on top of the data that will take its place.
    lock.unlock();
    const std::lock_guard waited(write_back_mutex_);
    lock.lock();
    found = entries_.find(number);
  }
  if (found == entries_.end()) {
    return;
  }
  if (found->second.state == State::clean) {
    used_.erase(found->second.used);
  } else {
    --dirty_count_;
  }
  entries_.erase(found);
}

bool MetadataCache::wants_write_back() const noexcept {
  return dirty_count_.load(std::memory_order_relaxed) > dirty_limit_;
}

MetadataCache::Batch MetadataCache::take_dirty() {
  const std::lock_guard lock(mutex_);
  Batch batch;
  for (auto& [number, entry] : entries_) {
    if (entry.state == State::dirty) {
      entry.state = State::writing;
      batch.emplace_back(number, entry.block);
    }
  }
  std::sort(batch.begin(), batch.end(),
            [](const auto& left, const auto& right) { return left.first < right.first; });
  return batch;
}

void MetadataCache::settle(const Batch& batch, State state) {
  const std::lock_guard lock(mutex_);
  ++write_backs_;
  for (const auto& [number, block] : batch) {
    const auto found = entries_.find(number);
    // A newer version published meanwhile stays dirty.
    if (found == entries_.end() || found->second.state != State::writing) {
      continue;
    }
    found->second.state = state;
    if (state == State::clean) {
      used_.push_front(number);
      found->second.used = used_.begin();
      --dirty_count_;
    }
  }
  evict();
}

void MetadataCache::write(const Batch& batch) {
  std::vector<std::byte> run;
  for (std::size_t index = 0; index < batch.size();) {
    const std::uint64_t first = batch[index].first;
    run.clear();
    do {
      run.insert(run.end(), batch[index].second->begin(), batch[index].second->end());
      ++index;
    } while (index < batch.size() && batch[index].first == first + run.size() / block_size_ &&
             run.size() < longest_write);
    disk_->write(first * block_size_, run);
  }
}

void MetadataCache::write_back() {
  const std::lock_guard one_at_a_time(write_back_mutex_);
  const Batch batch = take_dirty();
  try {
    write(batch);
  } catch (...) {
    settle(batch, State::dirty);
    throw;
  }
  settle(batch, State::clean);
}

void MetadataCache::flush() {
  write_back();
  disk_->flush();
}

namespace {

class MetadataView final : public Disk {
 public:
  explicit MetadataView(std::shared_ptr<MetadataCache> cache) : cache_(std::move(cache)) {}

  std::uint64_t size() const noexcept override { return cache_->disk()->size(); }
  std::uint32_t sector_size() const noexcept override { return cache_->disk()->sector_size(); }
  bool writable() const noexcept override { return cache_->disk()->writable(); }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override;
  void do_write(std::uint64_t offset, ConstBytes data) override;
  void do_flush() override { cache_->flush(); }
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override {
    return cache_->disk()->extent(offset, max);
  }

  const std::shared_ptr<MetadataCache> cache_;
};

// What was written back between the two steps is found by neither, so they are done again; each
// round needs a whole write-back to have ended.
void MetadataView::do_read(std::uint64_t offset, Bytes out) const {
  const std::uint64_t within_block = offset % cache_->block_size();
  if (within_block + out.size() <= cache_->block_size()) {
    if (const Block block = cache_->peek(offset / cache_->block_size())) {
      std::copy_n(block->begin() + std::ptrdiff_t(within_block), out.size(), out.begin());
      return;
    }
  }
  std::uint64_t before = 0;
  do {
    before = cache_->write_backs();
    cache_->disk()->read(offset, out);
    cache_->overlay(offset, out);
  } while (before != cache_->write_backs());
}

void MetadataView::do_write(std::uint64_t offset, ConstBytes data) {
  const std::uint32_t block_size = cache_->block_size();
  while (!data.empty()) {
    const std::uint64_t within_block = offset % block_size;
    const std::size_t count = std::min<std::size_t>(data.size(), block_size - within_block);
    auto block = std::make_shared<std::vector<std::byte>>(*cache_->get(offset / block_size));
    std::copy_n(data.begin(), count, block->begin() + std::ptrdiff_t(within_block));
    cache_->publish(offset / block_size, std::move(block));
    offset += count;
    data = data.subspan(count);
  }
}

}  // namespace

DiskPtr make_metadata_view(std::shared_ptr<MetadataCache> cache) {
  return std::make_shared<MetadataView>(std::move(cache));
}

}  // namespace vimg::ext4
