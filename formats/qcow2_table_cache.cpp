#include "formats/qcow2_table_cache.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "formats/qcow2_layout.h"

namespace vimg::qcow2 {
namespace {

constexpr std::uint64_t min_slices = 16;

}  // namespace

TableCache::TableCache(std::uint64_t slice_size, std::uint64_t capacity)
    : slice_size_(slice_size), capacity_(std::max(capacity / slice_size, min_slices)) {}

ConstBytes TableCache::find(std::uint64_t offset) const noexcept {
  const auto found = slices_.find(offset);
  if (found == slices_.end()) {
    return {};
  }
  // Looked at before it is set, so that readers on several cores do not fight for the line.
  if (!found->second.used.load(std::memory_order_relaxed)) {
    found->second.used.store(true, std::memory_order_relaxed);
  }
  return found->second.content;
}

void TableCache::insert(std::uint64_t offset, std::vector<std::byte> content) {
  assert(content.size() == slice_size_);
  if (slices_.contains(offset)) {
    return;
  }
  if (slices_.size() >= capacity_) {
    make_room();
  }
  slices_.try_emplace(offset).first->second.content = std::move(content);
  clock_.push_back(offset);
}

Bytes TableCache::change(std::uint64_t offset) {
  const auto found = slices_.find(offset);
  assert(found != slices_.end());
  Slice& slice = found->second;
  slice.used = true;
  changed_count_ += slice.is_changed ? 0 : 1;
  slice.is_changed = true;
  return slice.content;
}

void TableCache::forget(std::uint64_t offset, std::uint64_t length) {
  for (std::uint64_t at = offset; at < offset + length; at += slice_size_) {
    const auto found = slices_.find(at);
    if (found != slices_.end()) {
      changed_count_ -= found->second.is_changed ? 1 : 0;
      slices_.erase(found);
      std::erase(clock_, at);
    }
  }
}

// Two rounds suffice: the first takes every slice's mark, so the second finds one without, unless
// all are changed; then the cache grows.
void TableCache::make_room() {
  for (std::size_t steps = 2 * clock_.size(); steps > 0; --steps) {
    hand_ = hand_ < clock_.size() ? hand_ : 0;
    const auto found = slices_.find(clock_[hand_]);
    Slice& slice = found->second;
    if (!slice.is_changed && !slice.used.exchange(false, std::memory_order_relaxed)) {
      slices_.erase(found);
      clock_[hand_] = clock_.back();
      clock_.pop_back();
      return;
    }
    ++hand_;
  }
}

std::vector<TableCache::Changed> TableCache::changed() const {
  std::vector<Changed> found;
  for (const auto& [offset, slice] : slices_) {
    if (slice.is_changed) {
      found.push_back({offset, slice.content});
    }
  }
  std::ranges::sort(found, {}, &Changed::offset);
  return found;
}

void TableCache::mark_written(std::span<const Changed> slices) {
  for (const Changed& slice : slices) {
    slices_.find(slice.offset)->second.is_changed = false;
  }
  changed_count_ -= slices.size();
}

std::vector<std::byte> read_slice(const Disk& file, std::uint64_t table, std::uint64_t offset,
                                  std::uint64_t size, const char* what) {
  if (table >= file.size()) {
    throw_corrupt(
        layer, fmt::format("{} at {:#x} lies beyond the file end {:#x}", what, table, file.size()));
  }
  std::vector<std::byte> content(size);
  read_padded(file, offset, content);
  return content;
}

}  // namespace vimg::qcow2
