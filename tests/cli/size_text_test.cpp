#include "cli/size_text.h"

#include <limits>

#include <doctest/doctest.h>

namespace vimg {
namespace {

TEST_CASE("size_text: whole units have no decimal") {
  CHECK(size_text(0) == "0B");
  CHECK(size_text(1023) == "1023B");
  CHECK(size_text(1024) == "1K");
  CHECK(size_text(std::uint64_t(720) << 20) == "720M");
  CHECK(size_text(std::uint64_t(64) << 40) == "64T");
}

TEST_CASE("size_text: other sizes are rounded to one") {
  CHECK(size_text(1536) == "1.5K");
  CHECK(size_text(1024 + 51) == "1K");
  CHECK(size_text(1024 + 52) == "1.1K");
}

TEST_CASE("size_text: what rounds to the next unit is shown in it") {
  CHECK(size_text((1U << 20) - 52) == "1023.9K");
  CHECK(size_text((1U << 20) - 51) == "1M");
}

TEST_CASE("size_text: the largest size is shown") {
  CHECK(size_text(std::numeric_limits<std::uint64_t>::max()) == "16E");
}

}  // namespace
}  // namespace vimg
