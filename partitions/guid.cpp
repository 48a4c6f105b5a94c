#include "partitions/guid.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace vimg {

bool is_zero(const Guid& guid) noexcept { return all_zero(bytes_of(guid)); }

std::string guid_text(const Guid& guid) {
  const auto& rest = guid.rest;
  return fmt::format("{:08x}-{:04x}-{:04x}-{:02x}{:02x}-{:02x}", guid.time_low.value(),
                     guid.time_mid.value(), guid.time_high.value(), rest[0], rest[1],
                     fmt::join(rest.begin() + 2, rest.end(), ""));
}

}  // namespace vimg
