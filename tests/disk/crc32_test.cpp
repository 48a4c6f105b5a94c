#include "disk/crc32.h"

#include <string_view>

#include <doctest/doctest.h>

using namespace vimg;

TEST_CASE("crc32: the check value of the catalogue of CRCs comes out") {
  CHECK(crc32(bytes_of(std::string_view("123456789"))) == 0xcbf43926);
}

TEST_CASE("crc32: a register fed back continues where it stopped") {
  const std::string_view text = "123456789";
  const std::uint32_t half = crc32_update(0xf597a6cf, bytes_of(text.substr(0, 4)));
  CHECK(crc32_update(half, bytes_of(text.substr(4))) == crc32_update(0xf597a6cf, bytes_of(text)));
}
