#include "guest/names.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include <fmt/format.h>

namespace vimg {
namespace {

// Leaves room for "@2" in a file name of 255 bytes; lvm2's own names are of 127 at most.
constexpr std::size_t max_name_bytes = 240;

// lvm2 lib/misc/lvm-string.c, validate_name.
bool lvm_allows(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x80 &&
         (std::isalnum(byte) != 0 || std::string_view("+_.-").find(c) != std::string_view::npos);
}

std::string escaped(char c) { return fmt::format("\\x{:02x}", static_cast<unsigned char>(c)); }

}  // namespace

std::string safe_file_name(std::string_view name) {
  if (name.empty()) {
    return "\\x";
  }
  const bool only_dots = name == "." || name == "..";
  std::string safe;
  for (const char c : name) {
    safe += lvm_allows(c) && !only_dots ? std::string(1, c) : escaped(c);
    if (safe.size() >= max_name_bytes) {
      break;
    }
  }
  return safe;
}

VolumeName VolumeNames::disk(std::size_t image) {
  const std::string name = unique(fmt::format("disk{}", image));
  return {name, name};
}

VolumeName VolumeNames::partition(std::size_t image, unsigned number) {
  const std::string full = unique(fmt::format("disk{}p{}", image, number));
  return {image_count_ == 1 ? unique(fmt::format("p{}", number)) : full, full};
}

std::string VolumeNames::group(std::string_view vg_name) { return unique(safe_file_name(vg_name)); }

VolumeName VolumeNames::logical_volume(std::string_view group, std::string_view lv_name) {
  const std::string name = unique(fmt::format("{}/{}", group, safe_file_name(lv_name)));
  return {name, name};
}

std::string VolumeNames::unique(const std::string& name) {
  const auto [claim, fresh] = claims_.try_emplace(name, 1);
  if (fresh) {
    return name;
  }
  // Counted on from the last claim, as a hostile group gives thousands of volumes one name.
  std::string numbered;
  do {
    numbered = fmt::format("{}@{}", name, ++claim->second);
  } while (!claims_.try_emplace(numbered, 1).second);
  return numbered;
}

}  // namespace vimg
