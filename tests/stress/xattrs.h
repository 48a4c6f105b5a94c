// Extended attributes of a path below a worker's root.
#pragma once

#include <map>
#include <string>

#include "tests/stress/worker.h"

namespace vimg::stress {

// As the calls of the same name; `path` is a regular file or a directory.
int set_xattr_at(const Worker& worker, const std::string& path, const std::string& name,
                 const std::string& value, int flags);
int remove_xattr_at(const Worker& worker, const std::string& path, const std::string& name);

// Those called user.*; an errno of its own when they cannot be read.
int read_xattrs(const std::string& absolute_path, std::map<std::string, std::string>& out);

// Fails the worker unless `path` has the attributes of `node` and no other called user.*.
void check_xattrs(const Worker& worker, const Node& node, const std::string& path);

}  // namespace vimg::stress
