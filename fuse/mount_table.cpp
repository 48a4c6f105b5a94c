#include "fuse/mount_table.h"

#include <charconv>
#include <fstream>
#include <sstream>
#include <vector>

namespace vimg {
namespace {

std::vector<std::string_view> words_of(std::string_view line, char separator) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find(separator), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

bool is_octal(std::string_view digits) noexcept {
  return digits.size() == 3 && digits.find_first_not_of("01234567") == std::string_view::npos;
}

// The kernel writes space, tab, newline and backslash as \040, \011, \012 and \134.
std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && is_octal(text.substr(i + 1, 3))) {
      unsigned value = 0;
      std::from_chars(text.data() + i + 1, text.data() + i + 4, value, 8);
      result.push_back(char(value));
      i += 3;
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

uid_t owner_in(std::string_view super_options) {
  uid_t owner = uid_t(-1);
  for (const std::string_view word : words_of(super_options, ',')) {
    if (constexpr std::string_view key = "user_id="; word.starts_with(key)) {
      std::from_chars(word.data() + key.size(), word.data() + word.size(), owner);
    }
  }
  return owner;
}

// proc(5): ID, parent, major:minor, root, mount point, options, optional fields, "-", type, source,
// super options.
std::optional<MountedFuse> parse_line(std::string_view line) {
  constexpr std::string_view separator = " - ";
  const std::size_t dash = line.find(separator);
  if (dash == std::string_view::npos) {
    return std::nullopt;
  }
  const auto left = words_of(line.substr(0, dash), ' ');
  const auto right = words_of(line.substr(dash + separator.size()), ' ');
  if (left.size() < 6 || right.size() < 3) {
    return std::nullopt;
  }
  return MountedFuse{.device = std::string(left[2]),
                     .mountpoint = unescaped(left[4]),
                     .type = std::string(right[0]),
                     .source = unescaped(right[1]),
                     .owner = owner_in(right[2])};
}

}  // namespace

std::optional<MountedFuse> find_fuse_mount(std::string_view mountinfo,
                                           std::string_view mountpoint) {
  std::optional<MountedFuse> found;
  for (const std::string_view line : words_of(mountinfo, '\n')) {
    // The last line wins: it lies on top of the others.
    if (auto mount = parse_line(line); mount && mount->mountpoint == mountpoint) {
      found = std::move(mount);
    }
  }
  return found && found->type.starts_with("fuse") ? found : std::nullopt;
}

std::optional<MountedFuse> find_fuse_mount(std::string_view mountpoint) {
  std::ostringstream text;
  text << std::ifstream("/proc/self/mountinfo").rdbuf();
  return find_fuse_mount(text.str(), mountpoint);
}

}  // namespace vimg
