#include "formats/create.h"

#include <doctest/doctest.h>

#include "disk/error.h"

namespace vimg {

TEST_CASE("sizes: suffixes are powers of 1024, and fractions are taken") {
  CHECK(parse_size("512") == 512);
  CHECK(parse_size("64k") == 65536);
  CHECK(parse_size("1.5G") == 3ULL << 29);
  CHECK(parse_size("2T") == 2ULL << 40);
  CHECK(parse_size("7E") == 7ULL << 60);
}

TEST_CASE("sizes: what is none is refused") {
  for (const char* const text : {"", "x", "-1", "1x", "1kk", "8E", "1.5", "99999999999999999999"}) {
    CHECK_MESSAGE(!parse_size(text), text);
  }
}

TEST_CASE("options: each is taken once and the rest refused by name") {
  CreateOptions options("cluster_size=64k,lazy_refcounts=on,x=y");
  CHECK(options.take_size("cluster_size", 1) == 65536);
  CHECK(options.take_flag("lazy_refcounts", false));
  CHECK_THROWS_WITH_AS(options.refuse_rest("qcow2"), "qcow2: there is no option \"x\"", Error);
}

TEST_CASE("options: a name without value, or twice, is refused") {
  CHECK_THROWS_AS(CreateOptions("a"), Error);
  CHECK_THROWS_AS(CreateOptions("=1"), Error);
  CHECK_THROWS_AS(CreateOptions("a=1,a=2"), Error);
}

}  // namespace vimg
