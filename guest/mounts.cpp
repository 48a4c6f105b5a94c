#include "guest/mounts.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "guest/device_name.h"
#include "guest/find.h"
#include "guest/fstab.h"

namespace vimg {
namespace {

// Options that choose which tree of a file system is shown.  Others (owners, error handling, times)
// change nothing that a reader of the guest's files needs, and would keep what is opened here from
// being shared.
bool chooses_tree(const std::string& option) {
  return option.starts_with("subvol=") || option.starts_with("subvolid=");
}

std::shared_ptr<FileSystem> open_mount(Guest& guest, const GuestMount& mount, MountAccess access) {
  return guest.open_filesystem(*mount.volume, {access, mount.options});
}

void mount_in(Guest& guest, const GuestMount& mount, MountAccess access, GuestTree& tree) {
  if (mount.volume == nullptr) {
    tree.bind(mount.mountpoint, mount.bind_path);
  } else {
    tree.mount(mount.mountpoint, open_mount(guest, mount, access));
  }
}

GuestMount described(const FstabLine& line) {
  GuestMount mount;
  mount.mountpoint = normal_path(line.mountpoint);
  mount.source = line.source;
  mount.type = line.type == "auto" ? "" : line.type;
  std::ranges::copy_if(line.options, std::back_inserter(mount.options), chooses_tree);
  return mount;
}

// Follows the lines of one guest's table, one after the other.
class Follower {
 public:
  Follower(Guest& guest, const Volume& root, std::size_t first_image, GuestTree& tree)
      : guest_(guest), root_(root), first_image_(first_image), tree_(tree) {
    result_.mounts.push_back({"/", "", &root, "", {}, root.filesystem->identity.type});
  }

  FollowedFstab run() &&;

 private:
  std::vector<FstabLine> read_lines();
  void follow(const FstabLine& line);
  void follow_root(const FstabLine& line);
  void follow_bind(const FstabLine& line);
  void follow_volume(const FstabLine& line);
  void mount(const FstabLine& line, GuestMount mount);
  void report(const FstabLine& line, std::string_view text);
  const Volume* choose(const std::string& source) const;

  Guest& guest_;
  const Volume& root_;
  const std::size_t first_image_;
  GuestTree& tree_;
  FollowedFstab result_;
};

FollowedFstab Follower::run() && {
  for (const FstabLine& line : mount_order(read_lines())) {
    follow(line);
  }
  return std::move(result_);
}

std::vector<FstabLine> Follower::read_lines() {
  try {
    const auto text = read_text(tree_, "/etc/fstab", max_fstab_bytes);
    return text ? parse_fstab(*text, result_.problems) : std::vector<FstabLine>();
  } catch (const Error& error) {
    result_.problems.push_back(fmt::format("/etc/fstab: {}", error.what()));
    return {};
  }
}

void Follower::follow(const FstabLine& line) {
  if (line.kind == FstabKind::skipped) {
    return;
  }
  const std::string mountpoint = normal_path(line.mountpoint);
  if (mountpoint.empty()) {
    report(line, "is no absolute path");
  } else if (line.kind == FstabKind::remote) {
    report(line, fmt::format("{} lies on another machine", line.source));
  } else if (line.kind == FstabKind::bind) {
    follow_bind(line);
  } else if (mountpoint == "/") {
    follow_root(line);
  } else {
    follow_volume(line);
  }
}

// The root is where the table lies, whatever it says of itself: labels change, clones are renamed.
void Follower::follow_root(const FstabLine& line) {
  if (choose(line.source) != &root_) {
    report(line, fmt::format("{} is not {}, which holds this table", line.source, root_.name));
  }
  const GuestMount said = described(line);
  GuestMount& mount = result_.mounts.front();
  mount.source = said.source;
  mount.options = said.options;
}

void Follower::follow_bind(const FstabLine& line) {
  GuestMount bound = described(line);
  bound.bind_path = normal_path(line.source);
  bound.options.clear();
  bound.type.clear();
  if (bound.bind_path.empty()) {
    report(line, fmt::format("{} is no absolute path", line.source));
    return;
  }
  mount(line, std::move(bound));
}

void Follower::follow_volume(const FstabLine& line) {
  GuestMount found = described(line);
  found.volume = choose(line.source);
  if (found.volume == nullptr) {
    if (!line.has_option("nofail")) {
      report(line, fmt::format("{} is on no volume that can be read", line.source));
    }
    return;
  }
  mount(line, std::move(found));
}

void Follower::mount(const FstabLine& line, GuestMount mount) {
  try {
    mount_in(guest_, mount, MountAccess::read_only, tree_);
    result_.mounts.push_back(std::move(mount));
  } catch (const Error& error) {
    report(line, error.what());
  }
}

void Follower::report(const FstabLine& line, std::string_view text) {
  result_.problems.push_back(fmt::format("/etc/fstab: {}: {}", line.mountpoint, text));
}

// Of several volumes that the name fits (clones, groups of one name), the one on the root's image.
const Volume* Follower::choose(const std::string& source) const {
  std::string name = source;
  if (const auto device = parse_device_name(source); device && first_image_ != 0) {
    name = fmt::format("disk{}", device->disk + first_image_);
    name += device->partition ? fmt::format("p{}", *device->partition) : "";
  }
  std::vector<const Volume*> fits = find_volumes(guest_.volumes(), guest_.groups(), name);
  const auto near = [&](const Volume* volume) { return volume->image == root_.image; };
  if (std::ranges::count_if(fits, near) == 1) {
    return *std::ranges::find_if(fits, near);
  }
  return only_volume(fits, name);
}

}  // namespace

FollowedFstab follow_fstab(Guest& guest, const Volume& root, std::size_t first_image,
                           GuestTree& tree) {
  return Follower(guest, root, first_image, tree).run();
}

GuestTree compose(Guest& guest, const OperatingSystem& system, MountAccess access) {
  GuestTree tree(open_mount(guest, system.mounts.front(), access));
  std::for_each(system.mounts.begin() + 1, system.mounts.end(),
                [&](const GuestMount& mount) { mount_in(guest, mount, access, tree); });
  return tree;
}

}  // namespace vimg
