#include "cli/size_text.h"

#include <string_view>

#include <fmt/format.h>

namespace vimg {

std::string size_text(std::uint64_t bytes) {
  constexpr std::string_view units = "BKMGTPE";
  unsigned exponent = 0;
  while (exponent + 1 < units.size() && (bytes >> (10 * (exponent + 1))) != 0) {
    ++exponent;
  }
  const std::uint64_t unit = std::uint64_t(1) << (10 * exponent);
  // Tenths, rounded; the rest is below the unit, so ten times it fits.
  std::uint64_t tenths = bytes / unit * 10 + (bytes % unit * 10 + unit / 2) / unit;
  if (tenths >= 10240 && exponent + 1 < units.size()) {
    tenths = 10;
    ++exponent;
  }
  const std::string number = tenths % 10 == 0 ? fmt::format("{}", tenths / 10)
                                              : fmt::format("{}.{}", tenths / 10, tenths % 10);
  return number + units[exponent];
}

}  // namespace vimg
