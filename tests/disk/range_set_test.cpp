#include "disk/range_set.h"

#include <limits>
#include <random>
#include <vector>

#include <doctest/doctest.h>

namespace vimg {
namespace {

constexpr auto no_end = std::numeric_limits<std::uint64_t>::max();

TEST_CASE("range set: an empty set is outside everywhere") {
  const RangeSet set;
  CHECK_FALSE(set.span_at(0).inside);
  CHECK(set.span_at(0).end == no_end);
}

TEST_CASE("range set: a range holds its first number and not its end") {
  RangeSet set;
  set.add(10, 20);
  CHECK_FALSE(set.contains(9));
  CHECK(set.span_at(9).end == 10);
  CHECK(set.contains(10));
  CHECK(set.contains(19));
  CHECK(set.span_at(10).end == 20);
  CHECK_FALSE(set.contains(20));
}

TEST_CASE("range set: ranges that touch become one") {
  RangeSet set;
  set.add(10, 20);
  set.add(30, 40);
  set.add(20, 30);
  CHECK(set.span_at(10).end == 40);
}

TEST_CASE("range set: agrees with one flag per number") {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    RangeSet set;
    std::vector<bool> model(101);
    for (int i = 0; i < 8; ++i) {
      const auto begin = random() % 100;
      const auto end = begin + 1 + random() % (100 - begin);
      set.add(begin, end);
      std::fill(model.begin() + std::ptrdiff_t(begin), model.begin() + std::ptrdiff_t(end), true);
    }
    for (std::size_t value = 0; value < 100; ++value) {
      const RangeSet::Span span = set.span_at(value);
      REQUIRE(span.inside == model[value]);
      const std::size_t end = std::min<std::size_t>(span.end, 100);
      for (std::size_t next = value; next < end; ++next) {
        REQUIRE(model[next] == span.inside);
      }
      REQUIRE((end == 100 || model[end] != span.inside));
    }
  }
}

}  // namespace
}  // namespace vimg
