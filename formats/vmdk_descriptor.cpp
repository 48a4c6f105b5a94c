#include "formats/vmdk_descriptor.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/escape.h"
#include "formats/vmdk_layout.h"

namespace vimg::vmdk {
namespace {

constexpr std::string_view blanks = " \t\r\n";

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; }

bool same_word(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// Takes the line that `text` begins with.
std::string_view take_line(std::string_view& text) noexcept {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

// Takes the word, or what stands between quotes, that `line` begins with.
std::string_view take_word(std::string_view& line) noexcept {
  line = trimmed(line);
  const bool is_quoted = line.starts_with('"');
  line.remove_prefix(is_quoted ? 1 : 0);
  const std::string_view word =
      line.substr(0, is_quoted ? line.find('"') : line.find_first_of(blanks));
  line.remove_prefix(std::min(line.size(), word.size() + (is_quoted ? 1 : 0)));
  return word;
}

std::optional<ExtentLine::Access> access_of(std::string_view word) noexcept {
  if (word == "RW") {
    return ExtentLine::Access::read_write;
  }
  if (word == "RDONLY") {
    return ExtentLine::Access::read_only;
  }
  return word == "NOACCESS" ? std::optional(ExtentLine::Access::none) : std::nullopt;
}

std::uint64_t sectors_of(std::string_view digits, std::string_view line) {
  std::uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [after, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || after != end || value > max_sectors) {
    throw_corrupt(layer, fmt::format("extent line {} has {} where a number of sectors should be",
                                     in_quotes(line), in_quotes(digits)));
  }
  return value;
}

// `rest` is what follows the access.
ExtentLine parse_extent(ExtentLine::Access access, std::string_view rest, std::string_view line) {
  ExtentLine extent{access, sectors_of(take_word(rest), line), {}, {}};
  extent.type = take_word(rest);
  rest = trimmed(rest);
  if (rest.starts_with('"')) {
    extent.name = take_word(rest);
  }
  if (const std::string_view offset = take_word(rest); !offset.empty()) {
    extent.offset_sectors = sectors_of(offset, line);
  }
  if (extent.sectors == 0 ||
      (extent.name.empty() && extent.type != "ZERO" && access != ExtentLine::Access::none)) {
    throw_corrupt(layer, fmt::format("extent line {} is not of the form ACCESS SECTORS TYPE "
                                     "\"FILE\" [OFFSET]",
                                     in_quotes(line)));
  }
  return extent;
}

std::uint32_t cid_of(std::string_view value) {
  std::uint32_t cid = 0;
  const char* const end = value.data() + value.size();
  const auto [after, error] = std::from_chars(value.data(), end, cid, 16);
  if (error != std::errc() || after != end) {
    throw_corrupt(layer, fmt::format("the CID is {}, expected up to eight hexadecimal digits",
                                     in_quotes(value)));
  }
  return cid;
}

void set_value(Descriptor& descriptor, std::string_view name, std::string_view value) {
  if (same_word(name, "CID")) {
    descriptor.cid = cid_of(value);
  } else if (same_word(name, "parentCID")) {
    descriptor.parent_cid = cid_of(value);
  } else if (same_word(name, "createType")) {
    descriptor.create_type = value;
  } else if (same_word(name, "parentFileNameHint")) {
    descriptor.parent_name = value;
  }
}

void parse_line(Descriptor& descriptor, std::string_view line) {
  std::string_view rest = line;
  if (const auto access = access_of(take_word(rest))) {
    if (descriptor.extents.size() == max_extents) {
      throw_unsupported(layer, fmt::format("more than {} extents", max_extents));
    }
    descriptor.extents.push_back(parse_extent(*access, rest, line));
    return;
  }
  const std::size_t equals = line.find('=');
  if (equals != std::string_view::npos && !line.starts_with('#')) {
    std::string_view value = line.substr(equals + 1);
    set_value(descriptor, trimmed(line.substr(0, equals)), take_word(value));
  }
}

// An embedded descriptor is padded with zeros.
std::string_view before_nul(std::string_view text) noexcept {
  return text.substr(0, text.find('\0'));
}

}  // namespace

Descriptor parse_descriptor(std::string_view text) {
  Descriptor descriptor;
  text = before_nul(text);
  while (!text.empty()) {
    parse_line(descriptor, trimmed(take_line(text)));
  }
  return descriptor;
}

std::optional<DescriptorPlace> find_cid(std::string_view text) {
  const char* const begin = text.data();
  std::optional<DescriptorPlace> place;
  text = before_nul(text);
  while (!text.empty()) {
    const std::string_view line = trimmed(take_line(text));
    const std::size_t equals = line.find('=');
    if (equals != std::string_view::npos && same_word(trimmed(line.substr(0, equals)), "CID")) {
      std::string_view value = line.substr(equals + 1);
      const std::string_view digits = take_word(value);
      place = DescriptorPlace{std::uint64_t(digits.data() - begin), digits.size()};
    }
  }
  return place;
}

std::string read_descriptor(const Disk& file, DescriptorPlace place) {
  if (place.length > max_descriptor) {
    throw_corrupt(layer, fmt::format("the descriptor is {:#x} bytes long, at most {:#x} are read",
                                     place.length, max_descriptor));
  }
  if (!fits(place.offset, place.length, file.size())) {
    throw_corrupt(layer, fmt::format("the descriptor at {:#x} (+{:#x}) lies beyond the file end "
                                     "{:#x}",
                                     place.offset, place.length, file.size()));
  }
  std::string text(place.length, '\0');
  file.read(place.offset, std::as_writable_bytes(std::span(text)));
  return text;
}

// As QEMU knows it: comments and empty lines, then the version; VMware's first line is enough, too.
bool begins_as_descriptor(std::string_view head) noexcept {
  if (head.starts_with("# Disk DescriptorFile")) {
    return true;
  }
  head = before_nul(head);
  while (!head.empty()) {
    const std::string_view line = take_line(head);
    if (line.starts_with('#') || trimmed(line).empty()) {
      continue;
    }
    const std::string_view version = trimmed(line);
    return version == "version=1" || version == "version=2" || version == "version=3";
  }
  return false;
}

}  // namespace vimg::vmdk
