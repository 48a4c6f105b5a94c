#include "disk/endian.h"

#include <array>

#include <doctest/doctest.h>

namespace vimg {
namespace {

struct Sample {
  be16 big;
  le32 little;
};
static_assert(sizeof(Sample) == 6 && OnDisk<Sample>);

TEST_CASE("endian: a structure is read as it lies on disk") {
  const std::array<std::byte, 6> raw{std::byte{0x12}, std::byte{0x34}, std::byte{0x78},
                                     std::byte{0x56}, std::byte{0x34}, std::byte{0x12}};
  const auto sample = load<Sample>(raw);
  CHECK(sample.big.value() == 0x1234);
  CHECK(sample.little.value() == 0x12345678);
}

TEST_CASE("endian: what is stored is what was loaded") {
  std::array<std::byte, 6> raw{};
  store(Bytes(raw), 0, Sample{0x1234, 0x12345678});
  CHECK(raw[0] == std::byte{0x12});
  CHECK(raw[2] == std::byte{0x78});
}

}  // namespace
}  // namespace vimg
