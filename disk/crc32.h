// CRC-32 of IEEE 802.3, bit-reflected: what GPT and LVM protect their structures with.
#pragma once

#include <cstdint>

#include "disk/bytes.h"

namespace vimg {

// The register after `data`, from `seed`; neither is inverted.  Feed the result back to go on.
std::uint32_t crc32_update(std::uint32_t seed, ConstBytes data) noexcept;

// The usual CRC-32, as zlib's crc32(): "123456789" gives 0xcbf43926.
std::uint32_t crc32(ConstBytes data) noexcept;

}  // namespace vimg
