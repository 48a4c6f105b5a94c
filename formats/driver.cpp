#include "formats/driver.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {

extern const FormatDriver qcow2_driver;

namespace {

constexpr std::array<const FormatDriver*, 1> drivers{&qcow2_driver};

}  // namespace

std::span<const FormatDriver* const> format_drivers() noexcept { return drivers; }

const FormatDriver* find_format(std::string_view name) noexcept {
  if (name == raw_driver.name) {
    return &raw_driver;
  }
  const auto found =
      std::ranges::find_if(drivers, [&](const FormatDriver* d) { return name == d->name; });
  return found == drivers.end() ? nullptr : *found;
}

const FormatDriver& detect_format(const Disk& file) {
  const FormatDriver* found = &raw_driver;
  for (const FormatDriver* driver : drivers) {
    if (!driver->probe(file)) {
      continue;
    }
    if (found != &raw_driver) {
      throw_error(EACCES, "format",
                  fmt::format("file is both {} and {}; say which with --format", found->name,
                              driver->name));
    }
    found = driver;
  }
  return *found;
}

}  // namespace vimg
