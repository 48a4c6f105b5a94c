#include "disk/overlay_map.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <mutex>

namespace vimg {
namespace {

constexpr std::uint64_t all_blocks = ~std::uint64_t{0};

// How many blocks from `block` on have the same bit in `mask` as it has.
std::uint64_t equal_bits(std::uint64_t mask, unsigned block) noexcept {
  const std::uint64_t rest = mask >> block;
  const int count = (rest & 1) != 0 ? std::countr_one(rest) : std::countr_zero(rest);
  return std::min<std::uint64_t>(std::uint64_t(count), 64 - block);
}

}  // namespace

OverlayMap::Run OverlayMap::run_at(std::uint64_t offset, std::uint64_t max) const {
  const std::uint64_t index = offset / overlay_region_size;
  const std::shared_lock lock(mutex_);
  const auto next = regions_.lower_bound(index);
  if (next != regions_.end() && next->first == index) {
    return run_in(next->second, offset, max);
  }
  return run_outside(offset, next == regions_.end() ? all_blocks : next->first, max);
}

OverlayMap::Run OverlayMap::run_in(const OverlayRegion& region, std::uint64_t offset,
                                   std::uint64_t max) const noexcept {
  const std::uint64_t within = offset % overlay_region_size;
  const auto block = unsigned(within / overlay_block_size);
  const std::uint64_t blocks =
      std::min(equal_bits(region.stored, block), equal_bits(region.zero, block));
  const std::uint64_t end = (block + blocks) * overlay_block_size;
  const std::uint64_t length = std::min(end - within, max);
  if ((region.stored >> block & 1) != 0) {
    return {Place::store, length, region.store_place + within};
  }
  return {(region.zero >> block & 1) != 0 ? Place::zero : Place::base, length, 0};
}

OverlayMap::Run OverlayMap::run_outside(std::uint64_t offset, std::uint64_t next_region,
                                        std::uint64_t max) const {
  const RangeSet::Span span = zeroed_.span_at(offset / overlay_region_size);
  const std::uint64_t end_region = std::min(next_region, span.end);
  const auto place = span.inside ? Place::zero : Place::base;
  if (end_region > std::numeric_limits<std::uint64_t>::max() / overlay_region_size) {
    return {place, max, 0};
  }
  return {place, std::min(end_region * overlay_region_size - offset, max), 0};
}

OverlayRegion OverlayMap::region(std::uint64_t index) const {
  const std::shared_lock lock(mutex_);
  if (const auto found = regions_.find(index); found != regions_.end()) {
    return found->second;
  }
  OverlayRegion untouched;
  untouched.zero = zeroed_.contains(index) ? all_blocks : 0;
  return untouched;
}

void OverlayMap::set_region(std::uint64_t index, const OverlayRegion& region) {
  const std::unique_lock lock(mutex_);
  regions_[index] = region;
}

std::vector<OverlayRegion> OverlayMap::zero_regions(std::uint64_t begin, std::uint64_t end) {
  std::vector<OverlayRegion> dropped;
  const std::unique_lock lock(mutex_);
  const auto first = regions_.lower_bound(begin);
  const auto last = regions_.lower_bound(end);
  std::for_each(first, last, [&](const auto& entry) { dropped.push_back(entry.second); });
  regions_.erase(first, last);
  zeroed_.add(begin, end);
  return dropped;
}

}  // namespace vimg
