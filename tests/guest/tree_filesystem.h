// TreeFileSystem: a small read-only FileSystem in memory, for tests of what looks into guests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fsdrivers/filesystem.h"

namespace vimg::test {

// Files by their paths, "etc/fstab"; the directories on the way are made.  A path that ends with
// "/" is an empty directory.
struct TreeContent {
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> links;  // path to target
};

std::shared_ptr<FileSystem> make_tree(const TreeContent& content);

}  // namespace vimg::test
