#include "disk/utf16.h"

namespace vimg {
namespace {

constexpr char32_t replacement = 0xfffd;

bool is_high_surrogate(char32_t unit) noexcept { return unit >= 0xd800 && unit <= 0xdbff; }
bool is_low_surrogate(char32_t unit) noexcept { return unit >= 0xdc00 && unit <= 0xdfff; }

void append_utf8(std::string& out, char32_t character) {
  if (character < 0x80) {
    out += char(character);
    return;
  }
  if (character < 0x800) {
    out += char(0xc0 | (character >> 6));
  } else if (character < 0x10000) {
    out += char(0xe0 | (character >> 12));
    out += char(0x80 | ((character >> 6) & 0x3f));
  } else {
    out += char(0xf0 | (character >> 18));
    out += char(0x80 | ((character >> 12) & 0x3f));
    out += char(0x80 | ((character >> 6) & 0x3f));
  }
  out += char(0x80 | (character & 0x3f));
}

}  // namespace

std::string utf8_from_utf16(std::span<const le16> units) {
  std::string out;
  for (std::size_t i = 0; i < units.size() && units[i] != 0; ++i) {
    char32_t character = units[i];
    if (is_high_surrogate(character) && i + 1 < units.size() && is_low_surrogate(units[i + 1])) {
      character = 0x10000 + ((character - 0xd800) << 10) + (char32_t(units[++i]) - 0xdc00);
    } else if (is_high_surrogate(character) || is_low_surrogate(character)) {
      character = replacement;
    }
    append_utf8(out, character);
  }
  return out;
}

}  // namespace vimg
