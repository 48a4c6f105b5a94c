#include "disk/escape.h"

#include <cstddef>

#include <fmt/format.h>

namespace vimg {
namespace {

struct Sequence {
  char32_t code_point;
  std::size_t length;  // bytes; 0 when no valid sequence begins here
};

bool is_continuation(char c) noexcept { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

// How many bytes a sequence with this first byte has; 0 when none begins with it.
std::size_t length_of(unsigned char first) noexcept {
  if (first < 0x80) {
    return 1;
  }
  if (first < 0xc2 || first > 0xf4) {
    return 0;
  }
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

bool is_shortest(char32_t code_point, std::size_t length) noexcept {
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  return code_point >= least[length];
}

// The sequence that `text`, which is not empty, begins with.  RFC 3629: no surrogates, nothing
// beyond U+10FFFF, and the shortest form only.
Sequence first_sequence(std::string_view text) noexcept {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = length_of(first);
  if (length <= 1 || length > text.size()) {
    return {first, length == 1 ? 1U : 0U};
  }
  char32_t code_point = first & (0xffU >> (length + 1));
  for (const char c : text.substr(1, length - 1)) {
    if (!is_continuation(c)) {
      return {0, 0};
    }
    code_point = code_point << 6 | (static_cast<unsigned char>(c) & 0x3fU);
  }
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  const bool valid = is_shortest(code_point, length) && !surrogate && code_point <= 0x10ffff;
  return {code_point, valid ? length : 0};
}

bool in(char32_t code_point, char32_t first, char32_t last) noexcept {
  return code_point >= first && code_point <= last;
}

bool steers_terminals(char32_t c) noexcept {
  return c < 0x20 || in(c, 0x7f, 0x9f) || c == 0x61c || in(c, 0x200e, 0x200f) ||
         in(c, 0x2028, 0x202e) || in(c, 0x2066, 0x2069);
}

bool never(char32_t) noexcept { return false; }

std::string escaped(std::string_view text, bool (*refuse)(char32_t) noexcept) {
  std::string result;
  while (!text.empty()) {
    const Sequence sequence = first_sequence(text);
    const std::size_t length = sequence.length == 0 ? 1 : sequence.length;
    if (sequence.length == 0 || refuse(sequence.code_point)) {
      for (const char c : text.substr(0, length)) {
        result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      }
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return result;
}

}  // namespace

std::string valid_utf8(std::string_view text) { return escaped(text, never); }

std::string printable(std::string_view text) { return escaped(text, steers_terminals); }

std::string in_quotes(std::string_view text) {
  constexpr std::size_t max_length = 256;
  std::string inner;
  for (const char c : text.substr(0, max_length)) {
    if (c == '"' || c == '\\') {
      inner += '\\';
    }
    inner += c;
  }
  return fmt::format("\"{}\"{}", printable(inner), text.size() > max_length ? "..." : "");
}

}  // namespace vimg
