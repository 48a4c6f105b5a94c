// VirtualNode: a directory or file of the mount that no file system holds: volumes/, disks/disk0.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vimg {

enum class VirtualKind {
  directory,
  volume,      // a volume as a file
  report,      // .vimg/info.json
  filesystem,  // a name only: the view's top directory is there
};

struct VirtualNode {
  VirtualKind kind;
  std::string name{};
  std::size_t parent = 0;               // of the root: itself
  std::vector<std::size_t> children{};  // of a directory, as they are listed
  std::map<std::string, std::size_t, std::less<>> child_by_name{};
  std::size_t volume = 0;  // of a volume: index into Guest::volumes()
  std::uint32_t view = 0;  // of a filesystem
};

}  // namespace vimg
