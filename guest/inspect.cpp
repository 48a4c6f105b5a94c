#include <algorithm>
#include <optional>
#include <utility>

#include "disk/error.h"
#include "guest/guest.h"
#include "guest/mounts.h"
#include "guest/os_release.h"

namespace vimg {
namespace {

bool exists(const GuestTree& tree, std::string_view path) {
  return tree.resolve(path, LastLink::keep).has_value();
}

// Roots of Linux systems, as libguestfs tells them, and those with os-release files, which came
// later.  /etc/os-release may be a link into a /usr that is not mounted yet.
bool is_root(const GuestTree& tree) {
  if (!exists(tree, "/etc/")) {
    return false;
  }
  if (exists(tree, "/etc/fstab") || exists(tree, "/etc/os-release") || exists(tree, "/sbin/init")) {
    return true;
  }
  return exists(tree, "/bin") && exists(tree, "/etc/hosts");
}

struct Root {
  const Volume* volume;
  GuestTree tree;
};

// The tree on `volume` when it is the root of a system.  What fails is among the guest's problems
// already, or is a directory that cannot be read and so tells nothing.
std::optional<Root> root_on(Guest& guest, const Volume& volume) {
  if (!volume.disk || !volume.filesystem) {
    return std::nullopt;
  }
  try {
    GuestTree tree(guest.open_filesystem(volume));
    return is_root(tree) ? std::optional(Root{&volume, std::move(tree)}) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

OperatingSystem inspect_root(Guest& guest, Root root, std::size_t first_image) {
  OperatingSystem system;
  system.root = root.volume;
  FollowedFstab fstab = follow_fstab(guest, *root.volume, first_image, root.tree);
  system.mounts = std::move(fstab.mounts);
  system.problems = std::move(fstab.problems);
  const Release release = read_release(root.tree);
  system.id = release.id;
  system.name = release.name;
  system.version = release.version;
  system.hostname = read_hostname(root.tree);
  return system;
}

}  // namespace

std::vector<OperatingSystem> inspect(Guest& guest) {
  std::vector<Root> roots;
  for (const Volume& volume : guest.volumes()) {
    if (auto root = root_on(guest, volume)) {
      roots.push_back(std::move(*root));
    }
  }
  // Several systems are several machines, each of which calls its own first disk "sda".
  const bool several = std::ranges::any_of(
      roots, [&](const Root& root) { return root.volume->image != roots.front().volume->image; });
  std::vector<OperatingSystem> systems;
  for (Root& root : roots) {
    const std::size_t first_image = several ? root.volume->image : 0;
    systems.push_back(inspect_root(guest, std::move(root), first_image));
  }
  return systems;
}

}  // namespace vimg
