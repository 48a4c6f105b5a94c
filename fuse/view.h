// View: a file system at one place of the mount, with what is mounted on its directories.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "fuse/node.h"
#include "fuse/served_filesystem.h"

namespace vimg {

// The same file system can be seen at several places: under filesystems/, and in the guest's own
// tree with others mounted on it.  A directory has a node of its own in each view, as the kernel
// wants one place for a directory; other files have one node for all views, as they would have
// names in several directories, so that the kernel caches their bytes once.
//
// Built before the mount is served, and then unchanged.
struct View {
  std::uint32_t index;       // its own
  std::uint32_t file_index;  // of the view that gives numbers to what is not a directory
  ServedFileSystem* filesystem;
  std::optional<InodeNumber> start{};  // the directory shown, when it is not the root: a bind mount
  std::unordered_map<InodeNumber, std::uint32_t>
      crossings{};      // directory -> the view mounted there
  bool shared = false;  // the same directories can be changed through another view

  InodeNumber top() const { return start ? *start : filesystem->reading().root(); }
};

}  // namespace vimg
