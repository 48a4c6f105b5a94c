#include "disk/range_set.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace vimg {

void RangeSet::add(std::uint64_t begin, std::uint64_t end) {
  auto next = ranges_.upper_bound(begin);
  if (next != ranges_.begin() && std::prev(next)->second >= begin) {
    --next;
    begin = next->first;
  }
  while (next != ranges_.end() && next->first <= end) {
    end = std::max(end, next->second);
    next = ranges_.erase(next);
  }
  ranges_.emplace_hint(next, begin, end);
}

RangeSet::Span RangeSet::span_at(std::uint64_t value) const {
  const auto next = ranges_.upper_bound(value);
  if (next != ranges_.begin() && value < std::prev(next)->second) {
    return {true, std::prev(next)->second};
  }
  return {false, next != ranges_.end() ? next->first : std::numeric_limits<std::uint64_t>::max()};
}

}  // namespace vimg
