#include "disk/crc32c.h"

#include <string_view>
#include <vector>

#include <doctest/doctest.h>

using namespace vimg;

TEST_CASE("crc32c: the check value of the catalogue of CRCs comes out") {
  CHECK(crc32c(bytes_of(std::string_view("123456789"))) == 0xe3069283);
}

TEST_CASE("crc32c: the examples of RFC 3720, B.4, come out") {
  std::vector<std::byte> data(32);
  CHECK(crc32c(data) == 0x8a9136aa);
  data.assign(32, std::byte{0xff});
  CHECK(crc32c(data) == 0x62a8ab43);
}

TEST_CASE("crc32c: a register fed back continues where it stopped, wherever that was") {
  const std::string_view text = "the quick brown fox jumps over the lazy dog";
  const std::uint32_t whole = crc32c_update(0x12345678, bytes_of(text));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const std::uint32_t part = crc32c_update(0x12345678, bytes_of(text.substr(0, cut)));
    CHECK(crc32c_update(part, bytes_of(text.substr(cut))) == whole);
  }
}
