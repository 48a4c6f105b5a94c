#include "lvm/names.h"

#include <algorithm>

namespace vimg {
namespace {

constexpr std::size_t max_name = 127;
constexpr std::string_view uuid_pattern = "xxxxxx-xxxx-xxxx-xxxx-xxxx-xxxx-xxxxxx";

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_name_character(char c) {
  return is_alphanumeric(c) || c == '_' || c == '.' || c == '+' || c == '-';
}

// LVM's alphabet for UUIDs ends with these two, though it never draws them.
bool is_uuid_character(char c) { return is_alphanumeric(c) || c == '!' || c == '#'; }

}  // namespace

bool is_lvm_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= max_name && name != "." && name != ".." &&
         name.front() != '-' && std::ranges::all_of(name, is_name_character);
}

bool is_lvm_uuid(std::string_view uuid) noexcept {
  return std::ranges::equal(uuid, uuid_pattern, [](char c, char pattern) {
    return pattern == '-' ? c == '-' : is_uuid_character(c);
  });
}

std::string with_dashes(std::string_view uuid) {
  std::string text;
  std::size_t at = 0;
  for (const char pattern : uuid_pattern) {
    text += pattern == '-' ? '-' : (at < uuid.size() ? uuid[at++] : '?');
  }
  return text;
}

}  // namespace vimg
