// The two checksums of JBD2 and ext4, without the usual inversions at their ends.
#pragma once

#include <cstdint>

#include "disk/bytes.h"

namespace vimg {

// crc32c (Castagnoli), least significant bit first; `before` is the sum of what came before.
std::uint32_t crc32c(std::uint32_t before, ConstBytes data) noexcept;

// crc32 (IEEE 802.3), most significant bit first.
std::uint32_t crc32_be(std::uint32_t before, ConstBytes data) noexcept;

}  // namespace vimg
