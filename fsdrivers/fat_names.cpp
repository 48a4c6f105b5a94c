#include "fsdrivers/fat_names.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "disk/error.h"
#include "disk/utf16.h"

namespace vimg::fat {
namespace {

constexpr std::size_t max_units = 255;  // of a long name

// Code page 437 above ASCII.
constexpr std::u16string_view upper_half =
    u"ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄"
    u"▌▐▀"
    u"αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";
static_assert(upper_half.size() == 128);

char16_t unit_of(char character) noexcept {
  const auto code = static_cast<unsigned char>(character);
  return code < 0x80 ? char16_t(code) : upper_half[code - 0x80U];
}

char16_t lower(char16_t unit) noexcept {
  return unit >= u'A' && unit <= u'Z' ? char16_t(unit + 32) : unit;
}

char16_t upper(char16_t unit) noexcept {
  const auto in = [unit](char16_t from, char16_t to) { return unit >= from && unit <= to; };
  if (in(u'a', u'z') || (in(0xe0, 0xfe) && unit != 0xf7) || (in(0x3b1, 0x3c9) && unit != 0x3c2) ||
      in(0x430, 0x44f)) {
    return char16_t(unit - 32);
  }
  if (in(0x450, 0x45f)) {
    return char16_t(unit - 80);
  }
  if (in(0x100, 0x137) || in(0x14a, 0x177) || in(0x460, 0x481) || in(0x48a, 0x4bf) ||
      in(0x4d0, 0x52f)) {
    return char16_t(unit & ~1U);
  }
  if (in(0x139, 0x148) || in(0x179, 0x17e)) {
    return char16_t(unit - (unit % 2 == 0 ? 1 : 0));
  }
  return unit;
}

// The character that `text` begins with, which is taken from it; nothing when that is none.
std::optional<char32_t> take_character(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || text.size() < length) {
    return std::nullopt;
  }
  char32_t character = length == 1 ? first : first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0U) != 0x80) {
      return std::nullopt;
    }
    character = character << 6 | (next & 0x3fU);
  }
  constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  if (character < least[length] || character > 0x10ffff ||
      (character >= 0xd800 && character <= 0xdfff)) {
    return std::nullopt;
  }
  text.remove_prefix(length);
  return character;
}

std::size_t unpadded(std::string_view field) noexcept {
  const std::size_t last = field.find_last_not_of(' ');
  return last == std::string_view::npos ? 0 : last + 1;
}

bool is_short_character(char16_t unit) noexcept {
  return (unit >= u'A' && unit <= u'Z') || (unit >= u'0' && unit <= u'9') ||
         std::u16string_view(u"!#$%&'()-@^_`{}~").find(unit) != std::u16string_view::npos;
}

// Up to `limit` characters of a part of a name, in upper case; `lossy` when it is not the same.
std::string short_part(std::u16string_view part, std::size_t limit, bool& lossy) {
  std::string result;
  for (const char16_t unit : part) {
    if (unit == u' ' || unit == u'.') {
      lossy = true;
      continue;
    }
    if (result.size() == limit) {
      lossy = true;
      break;
    }
    const char16_t high = unit < 0x80 ? upper(unit) : unit;
    lossy |= !is_short_character(high) || high != unit;
    result += is_short_character(high) ? char(high) : '_';
  }
  return result;
}

ShortName padded(std::string_view base, std::string_view extension) {
  ShortName name;
  name.fill(' ');
  std::copy(base.begin(), base.end(), name.begin());
  std::copy(extension.begin(), extension.end(), name.begin() + 8);
  return name;
}

// Of names that begin alike, so that a search for a free number is short.
std::string hash_of(std::u16string_view name) {
  std::uint32_t hash = 2166136261U;
  for (const char16_t unit : name) {
    hash = (hash ^ unit) * 16777619U;
  }
  std::string digits;
  for (int shift = 12; shift >= 0; shift -= 4) {
    digits += "0123456789ABCDEF"[hash >> shift & 0xfU];
  }
  return digits;
}

}  // namespace

std::optional<std::u16string> utf16_of(std::string_view name) {
  std::u16string units;
  while (!name.empty()) {
    const auto character = take_character(name);
    if (!character) {
      return std::nullopt;
    }
    if (*character >= 0x10000) {
      units += char16_t(0xd800 + ((*character - 0x10000) >> 10));
      units += char16_t(0xdc00 + (*character & 0x3ff));
    } else {
      units += char16_t(*character);
    }
  }
  return units;
}

std::string shown_name(std::u16string_view units) {
  std::vector<le16> stored(units.begin(), units.end());
  std::string name = utf8_from_utf16(stored);
  std::replace(name.begin(), name.end(), '/', '_');
  if (name.empty() || name == "." || name == "..") {
    return "_" + name;
  }
  return name;
}

std::string shown_name(const ShortRecord& record) {
  std::array<char, 11> stored = record.name;
  if (static_cast<unsigned char>(stored[0]) == slot_really_e5) {
    stored[0] = char(slot_deleted);
  }
  const std::string_view all(stored.data(), stored.size());
  const auto append = [](std::u16string& name, std::string_view part, bool low) {
    for (const char character : part.substr(0, unpadded(part))) {
      name += low ? lower(unit_of(character)) : unit_of(character);
    }
  };
  std::u16string name;
  append(name, all.substr(0, 8), (record.lower_case & lower_base) != 0);
  if (unpadded(all.substr(8)) != 0) {
    name += u'.';
    append(name, all.substr(8), (record.lower_case & lower_extension) != 0);
  }
  return shown_name(name);
}

std::u16string folded(std::string_view name) {
  std::u16string units = utf16_of(name).value_or(std::u16string());
  std::transform(units.begin(), units.end(), units.begin(), upper);
  return units;
}

std::u16string name_to_store(std::string_view name, const char* layer) {
  const std::size_t last = name.find_last_not_of('.');
  name = name.substr(0, last == std::string_view::npos ? 0 : last + 1);
  const auto units = utf16_of(name);
  if (!units || units->empty() || units->back() == u' ') {
    throw_error(EINVAL, layer, "not a name that can be stored");
  }
  for (const char16_t unit : *units) {
    if (unit < 0x20 ||
        std::u16string_view(u"*?<>|\":/\\").find(unit) != std::u16string_view::npos) {
      throw_error(EINVAL, layer, "the name has a character that cannot be stored");
    }
  }
  if (units->size() > max_units) {
    throw_error(ENAMETOOLONG, layer, "the name has more than 255 UTF-16 units");
  }
  return *units;
}

std::uint8_t checksum_of(const ShortName& name) noexcept {
  std::uint8_t sum = 0;
  for (const char character : name) {
    sum = std::uint8_t(((sum & 1U) << 7) + (sum >> 1) + static_cast<unsigned char>(character));
  }
  return sum;
}

NewShortName make_short_name(std::u16string_view name,
                             const std::function<bool(const ShortName&)>& taken) {
  const std::size_t start = std::min(name.find_first_not_of(u'.'), name.size());
  std::size_t dot = name.rfind(u'.');
  dot = dot == std::u16string_view::npos || dot < start ? name.size() : dot;
  bool lossy = start != 0;
  std::string base = short_part(name.substr(start, dot - start), 8, lossy);
  const std::string extension = short_part(name.substr(std::min(dot + 1, name.size())), 3, lossy);
  if (base.empty()) {
    base = "_";
    lossy = true;
  }
  const ShortName plain = padded(base, extension);
  if (!lossy && !taken(plain)) {
    return {plain, true};
  }
  for (int number = 1; number <= 4; ++number) {
    const ShortName tried = padded(base.substr(0, 6) + "~" + std::to_string(number), extension);
    if (!taken(tried)) {
      return {tried, false};
    }
  }
  // One of ten names for each of 65,536 hashes, and all of them before giving up.
  const std::string hash = hash_of(name);
  const auto from = std::uint32_t(std::stoul(hash, nullptr, 16));
  for (std::uint32_t step = 0; step < 0x10000; ++step) {
    const std::string digits = step == 0 ? hash : hash_of(std::u16string(1, char16_t(from + step)));
    for (int number = 1; number <= 9; ++number) {
      const std::string tail = digits + "~" + std::to_string(number);
      const ShortName tried = padded(base.substr(0, 2) + tail, extension);
      if (!taken(tried)) {
        return {tried, false};
      }
    }
  }
  throw_error(ENOSPC, "fat", "no short name is free in the directory");
}

}  // namespace vimg::fat
