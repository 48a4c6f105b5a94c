#include "disk/crc32.h"

#include <array>
#include <cstddef>

namespace vimg {
namespace {

constexpr std::uint32_t polynomial = 0xedb88320;  // bit-reflected 0x04c11db7

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? polynomial : 0);
    }
    table[byte] = remainder;
  }
  return table;
}

constexpr auto table = make_table();

}  // namespace

std::uint32_t crc32_update(std::uint32_t seed, ConstBytes data) noexcept {
  std::uint32_t crc = seed;
  for (const std::byte byte : data) {
    crc = (crc >> 8) ^ table[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
  }
  return crc;
}

std::uint32_t crc32(ConstBytes data) noexcept { return ~crc32_update(0xffffffff, data); }

}  // namespace vimg
