// CRC-32C (Castagnoli), bit-reflected: what VHDX protects its structures with.
#pragma once

#include <cstdint>

#include "disk/bytes.h"

namespace vimg {

// The register after `data`, from `seed`; neither is inverted.  Feed the result back to go on.
std::uint32_t crc32c_update(std::uint32_t seed, ConstBytes data) noexcept;

// The usual CRC-32C, as iSCSI has it: "123456789" gives 0xe3069283.
std::uint32_t crc32c(ConstBytes data) noexcept;

}  // namespace vimg
