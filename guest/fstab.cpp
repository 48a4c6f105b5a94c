#include "guest/fstab.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace vimg {
namespace {

constexpr std::array<std::string_view, 24> kernel_types{
    "autofs",     "binfmt_misc", "bpf",      "cgroup",   "cgroup2", "configfs",
    "debugfs",    "devpts",      "devtmpfs", "efivarfs", "fusectl", "hugetlbfs",
    "mqueue",     "none",        "nsfs",     "proc",     "pstore",  "ramfs",
    "securityfs", "selinuxfs",   "sysfs",    "tmpfs",    "tracefs", "usbfs"};
constexpr std::array<std::string_view, 11> remote_types{
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "glusterfs", "ceph", "9p", "virtiofs", "afs", "ocfs2"};
constexpr std::array<std::string_view, 5> removable{"/dev/fd", "/dev/sr", "/dev/scd", "/dev/cdrom",
                                                    "/dev/dvd"};

template <std::size_t count>
bool contains(const std::array<std::string_view, count>& list, std::string_view text) {
  return std::ranges::find(list, text) != list.end();
}

bool is_octal(char c) noexcept { return c >= '0' && c <= '7'; }

// fstab(5): blanks within a field are written as three octal digits.
std::string decoded(std::string_view field) {
  std::string text;
  while (!field.empty()) {
    const bool escape = field.size() >= 4 && field[0] == '\\' && field[1] <= '3' &&
                        std::all_of(field.begin() + 1, field.begin() + 4, is_octal);
    text += escape
                ? static_cast<char>((field[1] - '0') * 64 + (field[2] - '0') * 8 + field[3] - '0')
                : field[0];
    field.remove_prefix(escape ? 4 : 1);
  }
  return text;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t start = std::min(text.find_first_not_of(separators), text.size());
    text.remove_prefix(start);
    if (text.empty()) {
      return parts;
    }
    const std::size_t length = std::min(text.find_first_of(separators), text.size());
    parts.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
}

bool is_remote(const FstabLine& line) {
  return contains(remote_types, line.type) || line.type.starts_with("fuse.") ||
         line.source.starts_with("//");
}

bool is_removable(const std::string& source) {
  return std::ranges::any_of(removable,
                             [&](std::string_view prefix) { return source.starts_with(prefix); });
}

FstabKind kind_of(const FstabLine& line) {
  if (line.type == "swap" || line.type == "ignore" || line.has_option("noauto") ||
      line.mountpoint == "none" || line.mountpoint == "swap" || is_removable(line.source)) {
    return FstabKind::skipped;
  }
  if (line.has_option("bind") || line.has_option("rbind")) {
    return FstabKind::bind;
  }
  if (contains(kernel_types, line.type)) {
    return FstabKind::skipped;
  }
  return is_remote(line) ? FstabKind::remote : FstabKind::volume;
}

// Nothing when the line has too few fields.
std::optional<FstabLine> parse_line(const std::vector<std::string_view>& fields) {
  if (fields.size() < 3) {
    return std::nullopt;
  }
  FstabLine line{decoded(fields[0]), decoded(fields[1]), std::string(fields[2]), {}, {}};
  if (fields.size() > 3) {
    const std::vector<std::string_view> options = split(fields[3], ",");
    line.options.assign(options.begin(), options.end());
  }
  line.kind = kind_of(line);
  return line;
}

// True when `path` is `directory` or lies below it; both normal.
bool lies_in(std::string_view path, std::string_view directory) {
  if (directory == "/") {
    return true;
  }
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

// A line with its paths made normal.
struct Waiting {
  FstabLine line;
  std::string at;
  std::string source;  // of a bind mount, else empty
};

Waiting waiting(FstabLine line) {
  const std::string source = line.kind == FstabKind::bind ? normal_path(line.source) : "";
  std::string at = normal_path(line.mountpoint);
  return {std::move(line), std::move(at), source};
}

bool must_wait(const Waiting& line, const Waiting& other) {
  return line.at != other.at &&
         (lies_in(line.at, other.at) || (!line.source.empty() && lies_in(line.source, other.at)));
}

auto depth(const Waiting& line) { return line.at == "/" ? 0 : std::ranges::count(line.at, '/'); }

}  // namespace

bool FstabLine::has_option(std::string_view name) const {
  return std::ranges::find(options, name) != options.end();
}

std::vector<FstabLine> parse_fstab(std::string_view text, std::vector<std::string>& problems) {
  std::vector<FstabLine> lines;
  for (const std::string_view raw : split(text, "\n")) {
    const std::vector<std::string_view> fields = split(raw, " \t\r");
    if (fields.empty() || fields.front().starts_with('#')) {
      continue;
    }
    if (lines.size() == max_fstab_lines) {
      problems.push_back(
          fmt::format("/etc/fstab: more than {} lines, the others are left out", max_fstab_lines));
      break;
    }
    if (auto line = parse_line(fields)) {
      lines.push_back(std::move(*line));
    } else {
      problems.push_back(fmt::format("/etc/fstab: '{}' is no mount", raw.substr(0, 80)));
    }
  }
  return lines;
}

std::string normal_path(std::string_view path) {
  if (!path.starts_with('/')) {
    return {};
  }
  std::string normal;
  for (const std::string_view component : split(path, "/")) {
    if (component == "..") {
      return {};
    }
    if (component != ".") {
      normal.append("/").append(component);
    }
  }
  return normal.empty() ? "/" : normal;
}

std::vector<FstabLine> mount_order(const std::vector<FstabLine>& lines) {
  std::vector<Waiting> left;
  std::ranges::transform(lines, std::back_inserter(left), waiting);
  std::ranges::stable_sort(left, {}, depth);
  std::vector<FstabLine> ordered;
  // Takes a line each time, so it ends; lines that wait for one another are taken as they are.
  while (!left.empty()) {
    const auto ready = std::ranges::find_if(left, [&](const Waiting& line) {
      return std::ranges::none_of(left,
                                  [&](const Waiting& other) { return must_wait(line, other); });
    });
    const auto next = ready == left.end() ? left.begin() : ready;
    ordered.push_back(std::move(next->line));
    left.erase(next);
  }
  return ordered;
}

}  // namespace vimg
