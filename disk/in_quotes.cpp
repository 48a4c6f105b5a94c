#include "disk/in_quotes.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

namespace vimg {
namespace {

constexpr std::size_t max_length = 256;

unsigned byte_at(std::string_view text, std::size_t index) noexcept {
  return static_cast<unsigned char>(text[index]);
}

// How many bytes a UTF-8 sequence has that begins with `lead`; 0 when none does.
std::size_t sequence_length(unsigned lead) noexcept {
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xc2 && lead < 0xe0) {
    return 2;
  }
  if (lead >= 0xe0 && lead < 0xf0) {
    return 3;
  }
  return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

// False for controls, C1 ones included, and what turns the direction of writing or is not seen.
bool is_shown(std::uint32_t character) noexcept {
  const auto within = [&](std::uint32_t first, std::uint32_t last) {
    return character >= first && character <= last;
  };
  return within(0x20, 0x7e) ||
         (character >= 0xa0 && !within(0x200b, 0x200f) && !within(0x2028, 0x202e) &&
          !within(0x2060, 0x206f) && !within(0xd800, 0xdfff) && character != 0xfeff);
}

// The bytes of the character that `text` begins with when it may be shown as it is, else 0.
std::size_t shown_length(std::string_view text) noexcept {
  const std::size_t length = sequence_length(byte_at(text, 0));
  if (length == 0 || length > text.size()) {
    return 0;
  }
  std::uint32_t character = length == 1 ? byte_at(text, 0) : byte_at(text, 0) & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte_at(text, i) & 0xc0) != 0x80) {
      return 0;
    }
    character = character << 6 | (byte_at(text, i) & 0x3f);
  }
  // What fits into fewer bytes is no valid UTF-8.
  const bool is_overlong =
      (length == 3 && character < 0x800) || (length == 4 && character < 0x10000);
  return is_shown(character) && !is_overlong && character <= 0x10ffff ? length : 0;
}

}  // namespace

std::string in_quotes(std::string_view text) {
  return fmt::format("\"{}\"{}", printable(text.substr(0, max_length)),
                     text.size() > max_length ? "..." : "");
}

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t shown = shown_length(text);
    if (text.front() == '"' || text.front() == '\\') {
      result += {'\\', text.front()};
    } else if (shown == 0) {
      result += fmt::format("\\x{:02x}", byte_at(text, 0));
    } else {
      result += text.substr(0, shown);
    }
    text.remove_prefix(std::max<std::size_t>(shown, 1));
  }
  return result;
}

}  // namespace vimg
