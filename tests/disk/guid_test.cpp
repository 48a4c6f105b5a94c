#include "disk/guid.h"

#include <doctest/doctest.h>

using namespace vimg;

TEST_CASE("guid: the text has the first three fields turned round") {
  const Guid guid{0x2dc27766, 0xf623, 0x4200, {0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08}};
  CHECK(guid_text(guid) == "2dc27766-f623-4200-9d64-115e9bfd4a08");
  CHECK(load<std::uint8_t>(bytes_of(guid)) == 0x66);
}

TEST_CASE("guid: a random one is of version 4 and not the one before") {
  const Guid guid = random_guid();
  CHECK(guid_text(guid)[14] == '4');
  CHECK(!is_zero(guid));
  CHECK(guid != random_guid());
}
