// RangeSet: a set of numbers kept as disjoint ranges.
#pragma once

#include <cstdint>
#include <map>

namespace vimg {

// Not thread-safe.  Every operation takes logarithmic time, and time for the ranges it swallows.
class RangeSet {
 public:
  // Adds [begin, end); begin < end.
  void add(std::uint64_t begin, std::uint64_t end);

  // How far it stays the same from `value` on: [value, end) is wholly inside or wholly outside.
  // `end` is the greatest number when nothing follows.
  struct Span {
    bool inside;
    std::uint64_t end;
  };
  Span span_at(std::uint64_t value) const;
  bool contains(std::uint64_t value) const { return span_at(value).inside; }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;  // begin to end; no two touch
};

}  // namespace vimg
