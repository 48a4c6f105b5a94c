#include <algorithm>
#include <utility>

#include "fsdrivers/jbd2_log.h"

namespace vimg {

JournalBlocks::JournalBlocks(std::vector<Run> runs) : by_log_(std::move(runs)), by_disk_(by_log_) {
  std::ranges::sort(by_disk_, {}, &Run::disk);
  if (!by_log_.empty()) {
    count_ = by_log_.back().log + by_log_.back().length;
  }
}

std::uint64_t JournalBlocks::disk_block(std::uint64_t log) const noexcept {
  const auto run = std::prev(std::ranges::upper_bound(by_log_, log, {}, &Run::log));
  return run->disk + (log - run->log);
}

bool JournalBlocks::contains(std::uint64_t disk_block) const noexcept {
  const auto after = std::ranges::upper_bound(by_disk_, disk_block, {}, &Run::disk);
  if (after == by_disk_.begin()) {
    return false;
  }
  const Run& run = *std::prev(after);
  return disk_block - run.disk < run.length;
}

bool JournalBlocks::distinct() const noexcept {
  return std::ranges::adjacent_find(by_disk_, [](const Run& left, const Run& right) {
           return right.disk - left.disk < left.length;
         }) == by_disk_.end();
}

}  // namespace vimg
