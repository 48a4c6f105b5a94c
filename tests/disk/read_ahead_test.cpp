#include "disk/read_ahead.h"

#include <doctest/doctest.h>

namespace vimg {
namespace {

constexpr std::uint64_t window = 1000;

}  // namespace

TEST_CASE("read-ahead: a first read is fetched for itself only") {
  ReadAhead ahead(window);
  const auto range = ahead.note(5000, 5100);
  CHECK(range.begin == 5000);
  CHECK(range.end == 5100);
}

TEST_CASE("read-ahead: one that goes on is fetched a window ahead, and nothing twice") {
  ReadAhead ahead(window);
  ahead.note(5000, 5100);
  auto range = ahead.note(5100, 5200);
  CHECK(range.begin == 5100);
  CHECK(range.end == 6200);
  range = ahead.note(5200, 5300);
  CHECK(range.begin == 6200);
  CHECK(range.end == 6300);
}

TEST_CASE("read-ahead: a read that overtook another is of the same reader") {
  ReadAhead ahead(window);
  ahead.note(5000, 5100);
  ahead.note(5300, 5400);
  const auto range = ahead.note(5100, 5200);
  CHECK(range.begin == 6400);
  CHECK(range.end == 6400);
}

TEST_CASE("read-ahead: several readers are told apart") {
  ReadAhead ahead(window);
  ahead.note(5000, 5100);
  ahead.note(500000, 500100);
  CHECK(ahead.note(5100, 5200).end == 6200);
  CHECK(ahead.note(500100, 500200).end == 501200);
  CHECK(ahead.note(900000, 900100).end == 900100);
}

}  // namespace vimg
