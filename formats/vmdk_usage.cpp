#include "formats/vmdk_usage.h"

#include <algorithm>

namespace vimg::vmdk {

SectorUsage::SectorUsage(std::uint64_t begin, std::uint64_t count) : begin_(begin), used_(count) {}

bool SectorUsage::mark(std::uint64_t first, std::uint64_t count) {
  const std::uint64_t from = std::max(first, begin_);
  const std::uint64_t to = std::min(first + count, begin_ + used_.size());
  for (std::uint64_t i = from; i < to; ++i) {
    if (used_[i - begin_]) {
      return false;
    }
    used_[i - begin_] = true;
  }
  return true;
}

void SectorUsage::for_each_unused(std::uint64_t from, const Action& action) const {
  const auto at = [&](std::uint64_t index) { return used_.begin() + std::ptrdiff_t(index); };
  auto first = at(std::min<std::uint64_t>(std::max(from, begin_) - begin_, used_.size()));
  while ((first = std::find(first, used_.end(), false)) != used_.end()) {
    const auto last = std::find(first, used_.end(), true);
    action(begin_ + std::uint64_t(first - used_.begin()), std::uint64_t(last - first));
    first = last;
  }
}

}  // namespace vimg::vmdk
