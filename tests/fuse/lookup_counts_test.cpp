#include "fuse/lookup_counts.h"

#include <doctest/doctest.h>

using namespace vimg;

TEST_CASE("lookup counts: only the last forget says that nothing is left") {
  LookupCounts counts;
  counts.add(5);
  counts.add(5);
  counts.add(21);  // the same shard
  CHECK_FALSE(counts.subtract(5, 1));
  CHECK(counts.subtract(5, 1));
  CHECK(counts.drain() == std::vector<InodeNumber>{21});
}

TEST_CASE("lookup counts: several at once are taken back at once") {
  LookupCounts counts;
  counts.add(5);
  counts.add(5);
  CHECK(counts.subtract(5, 2));
  CHECK(counts.drain().empty());
}

TEST_CASE("lookup counts: what was never given out is not forgotten") {
  LookupCounts counts;
  CHECK_FALSE(counts.subtract(5, 1));
}
