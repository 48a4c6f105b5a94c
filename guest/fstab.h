// fstab: the lines of a guest's /etc/fstab, and which of them are file systems of its disks.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vimg {

// Of the file, and of lines that are looked at; more is no file system table.
constexpr std::size_t max_fstab_bytes = 1U << 20;
constexpr std::size_t max_fstab_lines = 256;

enum class FstabKind {
  volume,   // a file system on one of the guest's disks
  bind,     // a directory shown again elsewhere
  remote,   // a file system that other machines hold
  skipped,  // swap, kernel file systems, removable media, noauto: nothing to mount
};

struct FstabLine {
  std::string source;      // escapes decoded
  std::string mountpoint;  // escapes decoded, else as it is
  std::string type;
  std::vector<std::string> options;
  FstabKind kind;

  bool has_option(std::string_view name) const;
};

// The lines that are neither empty nor comments.  A line of fewer than three fields, and lines
// beyond max_fstab_lines, are left out and said in `problems`.
std::vector<FstabLine> parse_fstab(std::string_view text, std::vector<std::string>& problems);

// `path` with one slash before each component and without "."; "/" for the root.  Empty when it is
// not absolute or holds "..", which no mount point needs.
std::string normal_path(std::string_view path);

// In the order of mounting: a line after those whose mount point its own lies below, and a bind
// mount after those that its source lies in; else by the depth of the mount point and as they came.
std::vector<FstabLine> mount_order(const std::vector<FstabLine>& lines);

}  // namespace vimg
