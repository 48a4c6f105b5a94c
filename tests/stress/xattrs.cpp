#include "tests/stress/xattrs.h"

#include <sys/xattr.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace vimg::stress {
namespace {

std::string absolute(const Worker& worker, const std::string& path) {
  return worker.options().directory + "/" + path;
}

}  // namespace

int set_xattr_at(const Worker& worker, const std::string& path, const std::string& name,
                 const std::string& value, int flags) {
  return lsetxattr(absolute(worker, path).c_str(), name.c_str(), value.data(), value.size(), flags);
}

int remove_xattr_at(const Worker& worker, const std::string& path, const std::string& name) {
  return lremovexattr(absolute(worker, path).c_str(), name.c_str());
}

int read_xattrs(const std::string& path, std::map<std::string, std::string>& out) {
  std::vector<char> names(65536);
  const ssize_t size = llistxattr(path.c_str(), names.data(), names.size());
  if (size < 0) {
    return errno == EOPNOTSUPP ? 0 : errno;
  }
  std::vector<char> value(65536);
  for (const char* name = names.data(); name < names.data() + size; name += std::strlen(name) + 1) {
    if (!std::string_view(name).starts_with("user.")) {
      continue;
    }
    const ssize_t length = lgetxattr(path.c_str(), name, value.data(), value.size());
    if (length < 0) {
      return errno;
    }
    out[name] = std::string(value.data(), std::size_t(length));
  }
  return 0;
}

void check_xattrs(const Worker& worker, const Node& node, const std::string& path) {
  std::map<std::string, std::string> found;
  if (const int error = read_xattrs(absolute(worker, path), found); error != 0) {
    worker.fail(fmt::format("{}: xattrs: {}", path, std::strerror(error)));
  }
  for (const auto& [name, value] : node.xattrs) {
    if (!found.contains(name) || found[name] != value) {
      worker.fail(fmt::format("{}: xattr {} is {}", path, name,
                              found.contains(name) ? "different" : "missing"));
    }
  }
  if (found.size() != node.xattrs.size()) {
    worker.fail(fmt::format("{}: {} xattrs, not {}", path, found.size(), node.xattrs.size()));
  }
}

}  // namespace vimg::stress
