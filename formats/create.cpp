#include "formats/create.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/escape.h"

namespace vimg {
namespace {

constexpr char layer[] = "options";
constexpr double two_to_63 = 9223372036854775808.0;

// The power of two that a suffix stands for; nothing when it is none.
std::optional<int> suffix_bits(std::string_view suffix) {
  constexpr std::string_view letters = "kmgtpe";
  if (suffix.empty() || suffix == "b" || suffix == "B") {
    return 0;
  }
  const char letter = char(suffix[0] | 0x20);
  const std::size_t power = letters.find(letter);
  if (suffix.size() != 1 || power == std::string_view::npos) {
    return std::nullopt;
  }
  return int(power + 1) * 10;
}

}  // namespace

CreateOptions::CreateOptions(std::string_view text) {
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const std::size_t equals = item.find('=');
    const std::string_view name = item.substr(0, equals);
    if (equals == std::string_view::npos || name.empty()) {
      throw_error(EINVAL, layer, fmt::format("{} is not NAME=VALUE", in_quotes(item)));
    }
    if (std::ranges::any_of(options_, [&](const auto& option) { return option.first == name; })) {
      throw_error(EINVAL, layer, fmt::format("{} is given twice", in_quotes(name)));
    }
    options_.emplace_back(name, item.substr(equals + 1));
  }
}

std::optional<std::string> CreateOptions::take(std::string_view name) {
  const auto found =
      std::ranges::find_if(options_, [&](const auto& option) { return option.first == name; });
  if (found == options_.end()) {
    return std::nullopt;
  }
  std::string value = std::move(found->second);
  options_.erase(found);
  return value;
}

bool CreateOptions::take_flag(std::string_view name, bool otherwise) {
  const std::optional<std::string> value = take(name);
  if (!value) {
    return otherwise;
  }
  if (*value != "on" && *value != "off") {
    throw_error(EINVAL, layer, fmt::format("{} is on or off, not {}", name, in_quotes(*value)));
  }
  return *value == "on";
}

std::uint64_t CreateOptions::take_size(std::string_view name, std::uint64_t otherwise) {
  const std::optional<std::string> value = take(name);
  if (!value) {
    return otherwise;
  }
  const std::optional<std::uint64_t> size = parse_size(*value);
  if (!size) {
    throw_error(EINVAL, layer, fmt::format("{} is a size, not {}", name, in_quotes(*value)));
  }
  return *size;
}

void CreateOptions::refuse_rest(std::string_view who) const {
  if (!options_.empty()) {
    throw_error(EINVAL, who, fmt::format("there is no option {}", in_quotes(options_[0].first)));
  }
}

// Fractions are for sizes that people write, "1.5G"; whole numbers are exact to 63 bits.
std::optional<std::uint64_t> parse_size(std::string_view text) {
  const char* const end = text.data() + text.size();
  std::uint64_t whole = 0;
  const auto [after, error] = std::from_chars(text.data(), end, whole);
  if (error != std::errc()) {
    return std::nullopt;
  }
  double fraction = 0;
  const char* rest = after;
  if (rest != end && *rest == '.') {
    const auto parsed = std::from_chars(rest, end, fraction, std::chars_format::fixed);
    if (parsed.ec != std::errc()) {
      return std::nullopt;
    }
    rest = parsed.ptr;
  }
  const std::optional<int> bits = suffix_bits(std::string_view(rest, std::size_t(end - rest)));
  if (!bits || (*bits == 0 && fraction != 0) || std::ldexp(double(whole), *bits) >= two_to_63) {
    return std::nullopt;
  }
  return (whole << *bits) + std::uint64_t(std::ldexp(fraction, *bits));
}

}  // namespace vimg
