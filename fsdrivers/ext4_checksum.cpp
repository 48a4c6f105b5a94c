#include "fsdrivers/ext4_checksum.h"

#include <ext2fs/ext2fs.h>

#include "disk/endian.h"

namespace vimg::ext4 {
namespace {

const unsigned char* characters(ConstBytes data) noexcept {
  return static_cast<const unsigned char*>(static_cast<const void*>(data.data()));
}

}  // namespace

std::uint32_t crc32c(std::uint32_t seed, ConstBytes data) noexcept {
  return ext2fs_crc32c_le(seed, characters(data), data.size());
}

std::uint32_t crc32c(std::uint32_t seed, std::uint32_t little_endian_value) noexcept {
  const le32 value = little_endian_value;
  return crc32c(seed, bytes_of(value));
}

std::uint32_t crc32_be(std::uint32_t seed, ConstBytes data) noexcept {
  return ext2fs_crc32_be(seed, characters(data), data.size());
}

std::uint16_t crc16(std::uint16_t seed, ConstBytes data) noexcept {
  std::uint32_t crc = seed;
  for (const std::byte byte : data) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xa001U : 0U);
    }
  }
  return std::uint16_t(crc);
}

}  // namespace vimg::ext4
