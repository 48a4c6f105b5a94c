#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include <fmt/format.h>

#include "disk/error.h"
#include "fuse/options.h"

namespace vimg {
namespace {

// What mount(8) and /etc/fstab may hold beside a file system's own options.  They say when and how
// to mount, or are decided here for good (nosuid, nodev).
constexpr std::array<std::string_view, 34> generic_words{
    "ro",       "rw",         "defaults", "auto",       "noauto",      "user",     "nouser",
    "users",    "owner",      "group",    "nofail",     "_netdev",     "suid",     "nosuid",
    "dev",      "nodev",      "async",    "sync",       "dirsync",     "atime",    "noatime",
    "relatime", "nodiratime", "diratime", "norelatime", "strictatime", "lazytime", "nolazytime",
    "mand",     "nomand",     "silent",   "loud",       "exec",        "noexec"};

bool is_generic(std::string_view word) noexcept {
  return std::find(generic_words.begin(), generic_words.end(), word) != generic_words.end() ||
         word.starts_with("x-") || word.starts_with("X-") || word.starts_with("comment=") ||
         word.starts_with("context=");
}

// Those that libfuse or the kernel's FUSE take.  debug: libfuse says every request on stderr.
constexpr std::array<std::string_view, 5> session_words{"allow_other", "allow_root", "debug",
                                                        "default_permissions", "noexec"};

std::vector<std::string> split(std::string_view words) {
  std::vector<std::string> result;
  while (!words.empty()) {
    const std::size_t comma = std::min(words.find(','), words.size());
    if (comma > 0) {
      result.emplace_back(words.substr(0, comma));
    }
    words.remove_prefix(std::min(comma + 1, words.size()));
  }
  return result;
}

using Setter = void (*)(MountOptions&, const std::string&);
struct Keyword {
  std::string_view name;  // with the "=" where a value follows
  Setter set;
};
const std::array keywords{
    Keyword{"ro", [](MountOptions& o, const std::string&) { o.guest.write = WriteMode::none; }},
    Keyword{"rw", [](MountOptions& o, const std::string&) { o.guest.write = WriteMode::in_place; }},
    Keyword{"scratch",
            [](MountOptions& o, const std::string&) { o.guest.write = WriteMode::scratch; }},
    Keyword{"inspect", [](MountOptions& o, const std::string&) { o.layout = Layout::inspected; }},
    Keyword{"overlay=",
            [](MountOptions& o, const std::string& value) {
              o.guest.write = WriteMode::overlay;
              o.guest.overlay_path = value;
            }},
    Keyword{"volume=", [](MountOptions& o,
                          const std::string& value) { o.requests.push_back({.volume = value}); }},
    Keyword{"format=", [](MountOptions& o, const std::string& value) { o.guest.format = value; }},
    Keyword{"snapshot=",
            [](MountOptions& o, const std::string& value) { o.guest.snapshot = value; }},
    Keyword{"allow_refs=",
            [](MountOptions& o, const std::string& value) {
              o.guest.allowed_directories.push_back(value);
            }},
};

bool apply_keyword(const std::string& word, MountOptions& options) {
  for (const Keyword& keyword : keywords) {
    const bool has_value = keyword.name.ends_with('=');
    if (has_value ? word.starts_with(keyword.name) : word == keyword.name) {
      keyword.set(options, word.substr(has_value ? keyword.name.size() : 0));
      return true;
    }
  }
  return false;
}

bool apply_session_word(const std::string& word, MountOptions& options) {
  if (std::find(session_words.begin(), session_words.end(), word) == session_words.end()) {
    return false;
  }
  if (word == "default_permissions") {
    options.permissions = Permissions::kernel;
  }
  options.session_words.push_back(word);
  return true;
}

}  // namespace

std::vector<std::string> apply_mount_words(const std::string& words, MountOptions& options) {
  std::vector<std::string> rest;
  for (const std::string& word : split(words)) {
    if (!apply_keyword(word, options) && !apply_session_word(word, options) && !is_generic(word)) {
      rest.push_back(word);
    }
  }
  return rest;
}

std::vector<std::string> filesystem_options(const std::vector<std::string>& words) {
  std::vector<std::string> result;
  std::copy_if(words.begin(), words.end(), std::back_inserter(result),
               [](const std::string& word) { return !is_generic(word); });
  return result;
}

// VOLUME may hold no colon.  MOUNTPOINT and the rest may be empty.
MountRequest parse_mount_request(const std::string& text) {
  std::array<std::string, 4> parts;
  std::string_view rest = text;
  for (std::string& part : parts) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    part = rest.substr(0, colon);
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  if (parts[0].empty() || !rest.empty()) {
    throw_error(EINVAL, "-m",
                fmt::format("'{}' is not VOLUME[:MOUNTPOINT[:OPTIONS[:TYPE]]]", text));
  }
  MountRequest request{.volume = parts[0], .type = parts[3]};
  if (!parts[1].empty()) {
    request.mountpoint = parts[1];
  }
  const auto words = split(parts[2]);
  if (std::find(words.begin(), words.end(), "ro") != words.end()) {
    request.access = MountAccess::read_only;
  }
  request.options = filesystem_options(words);
  return request;
}

}  // namespace vimg
