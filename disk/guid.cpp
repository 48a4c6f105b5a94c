#include "disk/guid.h"

#include <random>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace vimg {

bool is_zero(const Guid& guid) noexcept { return all_zero(bytes_of(guid)); }

Guid random_guid() {
  std::random_device random;
  Guid guid;
  guid.time_low = std::uint32_t(random());
  guid.time_mid = std::uint16_t(random());
  guid.time_high = std::uint16_t((random() & 0x0fff) | 0x4000);
  for (std::uint8_t& byte : guid.rest) {
    byte = std::uint8_t(random());
  }
  guid.rest[0] = std::uint8_t((guid.rest[0] & 0x3f) | 0x80);
  return guid;
}

std::string guid_text(const Guid& guid) {
  const auto& rest = guid.rest;
  return fmt::format("{:08x}-{:04x}-{:04x}-{:02x}{:02x}-{:02x}", guid.time_low.value(),
                     guid.time_mid.value(), guid.time_high.value(), rest[0], rest[1],
                     fmt::join(rest.begin() + 2, rest.end(), ""));
}

}  // namespace vimg
