#include "disk/crc32c.h"

#include <array>
#include <cstddef>

#include "disk/endian.h"

namespace vimg {
namespace {

constexpr std::uint32_t polynomial = 0x82f63b78;  // bit-reflected 0x1edc6f41
constexpr std::size_t stride = 8;                 // bytes that are looked up at once

using Table = std::array<std::uint32_t, 256>;

// tables[n][byte] is the remainder of `byte` followed by n zero bytes.
constexpr std::array<Table, stride> make_tables() {
  std::array<Table, stride> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? polynomial : 0);
    }
    tables[0][byte] = remainder;
  }
  for (std::size_t n = 1; n < stride; ++n) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t shorter = tables[n - 1][byte];
      tables[n][byte] = (shorter >> 8) ^ tables[0][shorter & 0xff];
    }
  }
  return tables;
}

constexpr auto tables = make_tables();

std::uint32_t next_stride(std::uint32_t crc, ConstBytes data) noexcept {
  const std::uint64_t word = load<le64>(data) ^ crc;
  std::uint32_t result = 0;
  for (std::size_t n = 0; n < stride; ++n) {
    result ^= tables[stride - 1 - n][(word >> (8 * n)) & 0xff];
  }
  return result;
}

}  // namespace

std::uint32_t crc32c_update(std::uint32_t seed, ConstBytes data) noexcept {
  std::uint32_t crc = seed;
  for (; data.size() >= stride; data = data.subspan(stride)) {
    crc = next_stride(crc, data);
  }
  for (const std::byte byte : data) {
    crc = (crc >> 8) ^ tables[0][(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
  }
  return crc;
}

std::uint32_t crc32c(ConstBytes data) noexcept { return ~crc32c_update(0xffffffff, data); }

}  // namespace vimg
