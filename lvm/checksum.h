// LVM's checksum of labels and metadata.
#pragma once

#include <cstdint>

#include "disk/crc32.h"

namespace vimg {

constexpr std::uint32_t lvm_initial_crc = 0xf597a6cf;  // lvm2 lib/misc/crc.h, INITIAL_CRC

inline std::uint32_t lvm_checksum(ConstBytes data) noexcept {
  return crc32_update(lvm_initial_crc, data);
}

}  // namespace vimg
