#include "fsdrivers/ext4_map.h"

#include <algorithm>
#include <iterator>

namespace vimg::ext4 {
namespace {

// In runs, each of 32 bytes; a window counts as some more for what the map and the list take.
constexpr std::size_t max_cost = 1 << 17;
constexpr std::size_t window_cost = 8;

std::size_t cost_of(const MapWindow& window) noexcept { return window_cost + window.runs.size(); }

}  // namespace

Run MapWindow::at(std::uint64_t logical) const {
  const auto after =
      std::upper_bound(runs.begin(), runs.end(), logical,
                       [](std::uint64_t block, const Run& run) { return block < run.logical; });
  if (after != runs.begin()) {
    const Run& run = *std::prev(after);
    const std::uint64_t skipped = logical - run.logical;
    if (skipped < run.count) {
      return {logical, run.physical + skipped, run.count - skipped, run.kind};
    }
  }
  const std::uint64_t next = after == runs.end() ? end : after->logical;
  return {logical, 0, next - logical, Run::Kind::hole};
}

MapWindow read_window(const Volume& volume, const Inode& inode, std::uint64_t logical) {
  return inode.has_flag(inode_extents) ? read_extent_window(volume, inode, logical)
                                       : read_indirect_window(volume, inode, logical);
}

MapWindowPtr MapCache::find(std::uint32_t inode, std::uint64_t logical) {
  const std::lock_guard lock(mutex_);
  auto entry = entries_.upper_bound({inode, logical});
  if (entry == entries_.begin()) {
    return nullptr;
  }
  --entry;
  if (entry->first.first != inode || logical >= entry->second.window->end) {
    return nullptr;
  }
  uses_.splice(uses_.begin(), uses_, entry->second.use);
  return entry->second.window;
}

void MapCache::insert(std::uint32_t inode, const MapWindowPtr& window) {
  const std::lock_guard lock(mutex_);
  const Key key{inode, window->first};
  if (const auto old = entries_.find(key); old != entries_.end()) {
    erase(old);
  }
  uses_.push_front(key);
  entries_[key] = {window, uses_.begin()};
  cost_ += cost_of(*window);
  while (cost_ > max_cost && uses_.size() > 1) {
    erase(entries_.find(uses_.back()));
  }
}

void MapCache::invalidate(std::uint32_t inode) {
  const std::lock_guard lock(mutex_);
  auto entry = entries_.lower_bound({inode, 0});
  while (entry != entries_.end() && entry->first.first == inode) {
    const auto next = std::next(entry);
    erase(entry);
    entry = next;
  }
}

void MapCache::erase(std::map<Key, Entry>::iterator entry) {
  cost_ -= cost_of(*entry->second.window);
  uses_.erase(entry->second.use);
  entries_.erase(entry);
}

}  // namespace vimg::ext4
