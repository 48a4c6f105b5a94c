#include "fsdrivers/owner_options.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {
namespace {

constexpr std::array<std::string_view, 42> generic{
    "",         "ro",         "rw",       "defaults",   "auto",        "noauto",
    "user",     "nouser",     "users",    "owner",      "group",       "nofail",
    "_netdev",  "exec",       "noexec",   "suid",       "nosuid",      "dev",
    "nodev",    "sync",       "async",    "dirsync",    "atime",       "noatime",
    "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime",
    "lazytime", "nolazytime", "iversion", "noiversion", "silent",      "loud",
    "mand",     "nomand",     "discard",  "nodiscard",  "flush",       "quiet",
};

std::uint32_t number_of(std::string_view option, std::string_view value, int base,
                        std::string_view layer) {
  std::uint32_t number = 0;
  const char* const end = value.data() + value.size();
  const auto [stop, code] = std::from_chars(value.data(), end, number, base);
  if (code != std::errc() || stop != end || (base == 8 && number > 07777)) {
    throw_error(EINVAL, layer, fmt::format("bad option '{}'", option));
  }
  return number;
}

}  // namespace

OwnerOptions::OwnerOptions() : uid(geteuid()), gid(getegid()) {}

bool take_owner_option(OwnerOptions& options, std::string_view option, std::string_view layer) {
  const std::size_t equals = option.find('=');
  if (equals == std::string_view::npos) {
    return false;
  }
  const std::string_view name = option.substr(0, equals);
  const std::string_view value = option.substr(equals + 1);
  if (name == "uid") {
    options.uid = number_of(option, value, 10, layer);
  } else if (name == "gid") {
    options.gid = number_of(option, value, 10, layer);
  } else if (name == "umask") {
    options.file_mask = options.directory_mask = number_of(option, value, 8, layer);
  } else if (name == "fmask") {
    options.file_mask = number_of(option, value, 8, layer);
  } else if (name == "dmask") {
    options.directory_mask = number_of(option, value, 8, layer);
  } else {
    return false;
  }
  return true;
}

bool is_generic_option(std::string_view option) noexcept {
  return option.starts_with("x-") || option.starts_with("X-") || option.starts_with("comment=") ||
         std::find(generic.begin(), generic.end(), option) != generic.end();
}

}  // namespace vimg
