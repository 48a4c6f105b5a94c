// The checksums of ext4's metadata.
#pragma once

#include <cstdint>

#include "disk/bytes.h"

namespace vimg::ext4 {

// CRC-32C of `data` continued from `seed`, neither inverted before nor after.
std::uint32_t crc32c(std::uint32_t seed, ConstBytes data) noexcept;
std::uint32_t crc32c(std::uint32_t seed, std::uint32_t little_endian_value) noexcept;

// CRC-32 of IEEE 802.3, most significant bit first: the journal's checksums v1.
std::uint32_t crc32_be(std::uint32_t seed, ConstBytes data) noexcept;

// CRC-16 (polynomial 0x8005, reflected) of `data` continued from `seed`.
std::uint16_t crc16(std::uint16_t seed, ConstBytes data) noexcept;

}  // namespace vimg::ext4
