#include "formats/driver.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "disk/error.h"
#include "formats/foreign.h"

namespace vimg {

extern const FormatDriver bochs_driver;
extern const FormatDriver cloop_driver;
extern const FormatDriver dmg_driver;
extern const FormatDriver ewf_driver;
extern const FormatDriver parallels_driver;
extern const FormatDriver qcow2_driver;
extern const FormatDriver qed_driver;
extern const FormatDriver vdi_driver;
extern const FormatDriver vhdx_driver;
extern const FormatDriver vpc_driver;
extern const FormatDriver vmdk_driver;

namespace {

constexpr char layer[] = "format";
// clang-format off
constexpr auto drivers = std::to_array<const FormatDriver*>({
    &qcow2_driver,
    &vdi_driver,
    &vhdx_driver,
    &vpc_driver,
    &qed_driver,
    &parallels_driver,
    &dmg_driver,
    &ewf_driver,
    &bochs_driver,
    &cloop_driver,
    &vmdk_driver,
});
// clang-format on

}  // namespace

std::span<const FormatDriver* const> format_drivers() noexcept { return drivers; }

const FormatDriver* find_format(std::string_view name) noexcept {
  if (name == raw_driver.name) {
    return &raw_driver;
  }
  if (name == "vhd") {
    return &vpc_driver;
  }
  const auto found =
      std::ranges::find_if(drivers, [&](const FormatDriver* d) { return name == d->name; });
  return found == drivers.end() ? nullptr : *found;
}

std::vector<std::string> claimed_formats(const Disk& file,
                                         std::span<const FormatDriver* const> among) {
  std::vector<std::string> names;
  for (const FormatDriver* driver : among) {
    if (driver->probe(file)) {
      names.emplace_back(driver->name);
    }
  }
  const char* const foreign = foreign_format(file);
  if (foreign != nullptr && std::ranges::find(names, foreign) == names.end()) {
    names.emplace_back(foreign);
  }
  return names;
}

const FormatDriver& detect_format(const Disk& file) {
  const std::vector<std::string> names = claimed_formats(file, drivers);
  if (names.empty()) {
    return raw_driver;
  }
  if (names.size() > 1) {
    throw_error(EACCES, layer,
                fmt::format("file is both {} and {}; say which with --format", names[0], names[1]));
  }
  const FormatDriver* const driver = find_format(names[0]);
  if (driver == nullptr) {
    throw_unsupported(layer, fmt::format("file is a {} image, which is not supported; --format raw "
                                         "shows its bytes as they are",
                                         names[0]));
  }
  return *driver;
}

}  // namespace vimg
