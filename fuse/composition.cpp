#include "fuse/composition.h"

#include <algorithm>
#include <cerrno>

#include "guest/path.h"

namespace vimg {
namespace {

std::size_t depth(const std::string& path) {
  std::size_t components = 0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    components += path[i] != '/' && (i == 0 || path[i - 1] == '/') ? 1 : 0;
  }
  return components;
}

void mount_layer(GuestTree& guest_tree, const Layer& layer) {
  if (layer.filesystem != nullptr) {
    guest_tree.mount(layer.mountpoint, layer.filesystem->share());
  } else {
    guest_tree.bind(layer.mountpoint, layer.bind_path);
  }
}

// The file systems behind guest_tree.mounts(), in that order.
std::vector<ServedFileSystem*> mount_layers(GuestTree& guest_tree, const std::vector<Layer>& layers,
                                            const ProblemSink& on_problem) {
  std::vector<ServedFileSystem*> served{layers.front().filesystem};
  for (std::size_t i = 1; i < layers.size(); ++i) {
    try {
      mount_layer(guest_tree, layers[i]);
      served.push_back(layers[i].filesystem);
    } catch (const Error& error) {
      on_problem(layers[i].mountpoint, error);
    }
  }
  return served;
}

// A bind mount shows the file system of a mount before it, that its directory was found in; so the
// search ends before `mount`.
ServedFileSystem& owner_of(const GuestTree& guest_tree,
                           const std::vector<ServedFileSystem*>& served, std::size_t mount) {
  const auto& mounts = guest_tree.mounts();
  std::size_t owner = 0;
  while (served[owner] == nullptr || mounts[owner].filesystem != mounts[mount].filesystem) {
    ++owner;
  }
  return *served[owner];
}

}  // namespace

const View& compose(Tree& tree, std::vector<Layer> layers, const ProblemSink& on_problem) {
  std::stable_sort(layers.begin(), layers.end(), [](const Layer& a, const Layer& b) {
    return depth(a.mountpoint) < depth(b.mountpoint);
  });
  if (layers.empty() || depth(layers.front().mountpoint) != 0 ||
      layers.front().filesystem == nullptr) {
    throw_error(EINVAL, "mount", "nothing is mounted at /");
  }
  GuestTree guest_tree(layers.front().filesystem->share());
  const auto served = mount_layers(guest_tree, layers, on_problem);

  const auto& mounts = guest_tree.mounts();
  std::vector<std::uint32_t> views;
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    View& view = tree.add_view(served[i] != nullptr ? *served[i] : owner_of(guest_tree, served, i));
    if (served[i] == nullptr) {
      view.start = mounts[i].top;
    }
    views.push_back(view.index);
    if (i > 0) {
      tree.view(views[mounts[i].at.mount]).crossings[mounts[i].at.inode] = view.index;
    }
  }
  return tree.view(views.front());
}

}  // namespace vimg
