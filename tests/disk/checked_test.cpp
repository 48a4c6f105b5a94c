#include "disk/checked.h"

#include <limits>

#include <doctest/doctest.h>

namespace vimg {
namespace {

constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();

TEST_CASE("fits: a range may end where the space ends") {
  CHECK(fits(0, 10, 10));
  CHECK(fits(10, 0, 10));
  CHECK_FALSE(fits(1, 10, 10));
  CHECK_FALSE(fits(11, 0, 10));
}

TEST_CASE("fits: no sum wraps around") {
  CHECK_FALSE(fits(huge, 2, 10));
  CHECK_FALSE(fits(2, huge, 10));
  CHECK(fits(1, huge - 1, huge));
  CHECK_FALSE(fits(2, huge - 1, huge));
}

TEST_CASE("checked: the greatest result is given, one more is not") {
  CHECK(checked_add(huge - 1, 1) == huge);
  CHECK_FALSE(checked_add(huge, 1).has_value());
  CHECK(checked_mul(huge / 5, 5) == huge);
  CHECK_FALSE(checked_mul(huge / 5 + 1, 5).has_value());
}

TEST_CASE("round: to multiples of a power of two, multiples stay") {
  CHECK(round_down(4095, 4096) == 0);
  CHECK(round_down(4096, 4096) == 4096);
  CHECK(round_up(4096, 4096) == 4096);
  CHECK(round_up(4097, 4096) == 8192);
}

TEST_CASE("divide_up: counts the units that are begun, up to the greatest number") {
  CHECK(divide_up(0, 10) == 0);
  CHECK(divide_up(10, 10) == 1);
  CHECK(divide_up(11, 10) == 2);
  CHECK(divide_up(huge, 2) == huge / 2 + 1);
}

}  // namespace
}  // namespace vimg
