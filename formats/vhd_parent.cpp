#include "formats/vhd_parent.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/escape.h"
#include "disk/utf16.h"

namespace vimg::vhd {
namespace {

constexpr std::uint32_t max_name_bytes = 2048;

// Windows writes names in UTF-16 of either order; what was not asked for reads as a name that no
// file has.
std::string little_endian_name(ConstBytes bytes) {
  std::vector<le16> units(bytes.size() / sizeof(le16));
  for (std::size_t index = 0; index < units.size(); ++index) {
    units[index] = load<le16>(bytes, index * sizeof(le16));
  }
  return utf8_from_utf16(units);
}

std::string with_slashes(std::string name) {
  std::ranges::replace(name, '\\', '/');
  return name;
}

std::string last_part(const std::string& name) {
  const std::size_t slash = name.find_last_of('/');
  return slash == std::string::npos ? name : name.substr(slash + 1);
}

std::string relative(const std::string& name) {
  return name.starts_with("./") ? name.substr(2) : name;
}

// The names of one locator, best first; none when it is of a kind that names no file here.
void add_names(const Disk& file, const Locator& locator, std::vector<std::string>& names) {
  const std::string_view platform(locator.platform.data(), locator.platform.size());
  const bool is_relative = platform == "W2ru" || platform == "Wi2r";
  const bool is_utf16 = platform == "W2ru" || platform == "W2ku";
  if (!is_relative && platform != "W2ku" && platform != "Wi2k" && platform != "MacX") {
    return;
  }
  if (locator.length > max_name_bytes || !fits(locator.offset, locator.length, file.size())) {
    throw_corrupt(layer, fmt::format("parent locator at {:#x} (+{:#x}) lies beyond the file end "
                                     "{:#x} or is too long",
                                     locator.offset.value(), locator.length.value(), file.size()));
  }
  std::vector<std::byte> bytes(locator.length);
  file.read(locator.offset, bytes);
  const std::string text(text_of(bytes));
  const std::string name =
      with_slashes(is_utf16 ? little_endian_name(bytes) : text.substr(0, text.find('\0')));
  if (name.empty()) {
    return;
  }
  if (is_relative) {
    names.insert(names.begin(), relative(name));
  }
  names.push_back(last_part(name));
}

std::vector<std::string> names_of(const Disk& file, const Header& header) {
  std::vector<std::string> names;
  for (const Locator& locator : header.dynamic.locators) {
    add_names(file, locator, names);
  }
  if (const std::string name = parent_name(header); !name.empty()) {
    names.push_back(last_part(with_slashes(name)));
  }
  return names;
}

void check_identity(const Header& child, const Header& parent, std::string_view name,
                    OpenContext& context) {
  if (parent.footer.id != child.dynamic.parent_id) {
    throw_corrupt(layer, fmt::format("{} is not the image that this one was made on (its ID is "
                                     "another)",
                                     in_quotes(name)));
  }
  if (parent.footer.time_stamp != child.dynamic.parent_time_stamp) {
    context.warn(
        fmt::format("vhd: the parent {} has another time stamp than when this image was "
                    "made on it",
                    in_quotes(name)));
  }
}

}  // namespace

std::string parent_name(const Header& header) {
  std::vector<le16> units;
  for (const std::uint16_t unit : header.dynamic.parent_name) {
    units.emplace_back(unit);
  }
  return utf8_from_utf16(units);
}

DiskPtr open_parent(const Disk& file, const Header& header, OpenContext& context) {
  const std::vector<std::string> names = names_of(file, header);
  if (names.empty()) {
    throw_corrupt(layer, "a differencing disk does not name its parent");
  }
  for (const std::string& name : names) {
    try {
      check_identity(header, read_header(*context.peek_file(name)), name, context);
      return context.open_image(name, "vpc");
    } catch (const Error& error) {
      if (error.code() != ENOENT || &name == &names.back()) {
        throw;
      }
    }
  }
  return nullptr;
}

}  // namespace vimg::vhd
