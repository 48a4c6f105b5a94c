// compose: file systems mounted over one another as a guest would, as views of the mount's tree.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "disk/error.h"
#include "fuse/tree.h"

namespace vimg {

// One file system, or a directory shown again, at its place in the guest.
struct Layer {
  std::string mountpoint;                  // absolute, in the guest
  ServedFileSystem* filesystem = nullptr;  // nullptr for a bind mount
  std::string bind_path{};
};

// Told of a layer that cannot be shown, by its mountpoint; it is left out unless this throws.
using ProblemSink = std::function<void(const std::string& mountpoint, const Error& error)>;

// Makes views of `layers`, parents before children whatever their order, and returns the one of
// "/".  Throws Error(EINVAL) when no layer is mounted there, and when that one cannot be opened.
const View& compose(Tree& tree, std::vector<Layer> layers, const ProblemSink& on_problem);

}  // namespace vimg
