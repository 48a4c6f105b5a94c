#include "fuse/tree_builder.h"

#include <cerrno>
#include <unordered_map>

#include <fmt/format.h>

#include "disk/error.h"
#include "fuse/composition.h"

namespace vimg {
namespace {

MountAccess access_of(const Guest& guest) noexcept {
  return guest.writable() ? MountAccess::read_write : MountAccess::read_only;
}

class TreeBuilder {
 public:
  TreeBuilder(Guest& guest, VolumeClaims& claims, ProblemLog& problems, Tree& tree)
      : guest_(guest), claims_(claims), problems_(problems), tree_(tree) {}

  void show_everything() {
    tree_.add_directory("disks");
    tree_.add_directory("volumes");
    tree_.add_directory("filesystems");
    for (std::size_t i = 0; i < guest_.volumes().size(); ++i) {
      show_volume(i);
    }
    tree_.add(".vimg/info.json", {.kind = VirtualKind::report});
    show_operating_system();
  }

  void show_requests(const std::vector<MountRequest>& requests) {
    std::vector<Layer> layers;
    for (const MountRequest& request : requests) {
      const std::size_t volume = volume_named(request.volume);
      const MountAccess access = std::min(request.access, access_of(guest_));
      ServedFileSystem& served = serve(volume, access, request.options, request.type);
      open_now(served);
      layers.push_back({.mountpoint = request.mountpoint, .filesystem = &served});
    }
    tree_.show_at_root(compose(tree_, std::move(layers), throw_on));
  }

  void show_inspected() {
    systems_ = inspect(guest_);
    if (systems_.empty()) {
      throw_unsupported("-i", "no operating system found; say with -m what to mount");
    }
    if (systems_.size() > 1) {
      throw_unsupported("-i", fmt::format("{} operating systems found; say with -m what to mount",
                                          systems_.size()));
    }
    auto layers = layers_of(systems_.front());
    for (const Layer& layer : layers) {
      if (layer.filesystem != nullptr && layer.mountpoint == "/") {
        open_now(*layer.filesystem);
      }
    }
    tree_.show_at_root(compose(tree_, std::move(layers), problem_sink()));
  }

  std::vector<OperatingSystem> take_systems() noexcept { return std::move(systems_); }

 private:
  void show_volume(std::size_t index) {
    const Volume& volume = guest_.volumes()[index];
    if (!volume.disk) {
      return;  // why is among the guest's problems
    }
    const char* directory = volume.kind == VolumeKind::disk ? "disks" : "volumes";
    tree_.add(fmt::format("{}/{}", directory, volume.name),
              {.kind = VirtualKind::volume, .volume = index});
    if (volume.filesystem) {
      const View& view = tree_.add_view(serve(index, access_of(guest_), {}, {}));
      tree_.add(fmt::format("filesystems/{}", volume.name),
                {.kind = VirtualKind::filesystem, .view = view.index});
    }
  }

  void show_operating_system() {
    systems_ = inspect(guest_);
    if (systems_.empty()) {
      return;
    }
    if (systems_.size() > 1) {
      problems_.add(fmt::format("{} operating systems found: root/ is the one on {}",
                                systems_.size(), systems_.front().root->name));
    }
    try {
      const View& view = compose(tree_, layers_of(systems_.front()), problem_sink());
      tree_.add("root", {.kind = VirtualKind::filesystem, .view = view.index});
    } catch (const Error& error) {
      problems_.add(fmt::format("root/: {}", error.what()));
    }
  }

  std::vector<Layer> layers_of(const OperatingSystem& system) {
    for (const std::string& problem : system.problems) {
      problems_.add(problem);
    }
    std::vector<Layer> layers;
    for (const GuestMount& mount : system.mounts) {
      Layer layer{.mountpoint = mount.mountpoint, .bind_path = mount.bind_path};
      if (mount.volume != nullptr) {
        layer.filesystem = &serve(index_of(*mount.volume), access_of(guest_), mount.options, {});
      }
      layers.push_back(std::move(layer));
    }
    return layers;
  }

  // A file system without options is served once, however many places show it.
  ServedFileSystem& serve(std::size_t index, MountAccess access,
                          const std::vector<std::string>& options, const std::string& type) {
    const bool plain = options.empty() && type.empty() && access == access_of(guest_);
    const auto found = plain ? plain_.find(index) : plain_.end();
    if (found != plain_.end()) {
      return *found->second;
    }
    ServedFileSystem& served = tree_.add_filesystem(source_of(index, access, options, type));
    if (plain) {
      plain_.emplace(index, &served);
    }
    return served;
  }

  ServedFileSystem::Source source_of(std::size_t index, MountAccess access,
                                     const std::vector<std::string>& options,
                                     const std::string& type) {
    const Volume& volume = guest_.volumes()[index];
    ServedFileSystem::Source source{
        .name = volume.name,
        .open =
            [this_guest = &guest_, &volume, options, type](MountAccess wanted) {
              return this_guest->open_filesystem(volume, {wanted, options}, type);
            },
        .check = {},
        .claim = {},
        .access = access};
    if (guest_.writable()) {
      source.check = [claims = &claims_, index] { claims->check_tree(index); };
      source.claim = [claims = &claims_, index] { claims->claim_tree(index); };
    }
    return source;
  }

  // What the user asked for by name is opened before the mount is there, for writing when it will
  // be written, so that what stands in the way is said at once.
  static void open_now(ServedFileSystem& served) {
    if (served.writable()) {
      served.writing();
    } else {
      served.reading();
    }
  }

  std::size_t volume_named(const std::string& name) const {
    const Volume* volume = guest_.find(name);
    if (volume == nullptr) {
      std::string names;
      for (const Volume& known : guest_.volumes()) {
        names += " " + known.name;
      }
      throw_error(ENOENT, "mount", fmt::format("no single volume '{}'; there are:{}", name, names));
    }
    return index_of(*volume);
  }

  std::size_t index_of(const Volume& volume) const noexcept {
    return std::size_t(&volume - guest_.volumes().data());
  }

  static void throw_on(const std::string&, const Error& error) { throw error; }
  ProblemSink problem_sink() {
    return [this](const std::string& mountpoint, const Error& error) {
      problems_.add(fmt::format("{} of the guest: {}", mountpoint, error.what()));
    };
  }

  Guest& guest_;
  VolumeClaims& claims_;
  ProblemLog& problems_;
  Tree& tree_;
  std::unordered_map<std::size_t, ServedFileSystem*> plain_;  // by volume
  std::vector<OperatingSystem> systems_;
};

}  // namespace

std::vector<OperatingSystem> build_tree(Guest& guest, const MountOptions& options,
                                        VolumeClaims& claims, ProblemLog& problems, Tree& tree) {
  TreeBuilder builder(guest, claims, problems, tree);
  switch (options.layout) {
    case Layout::everything:
      builder.show_everything();
      break;
    case Layout::requests:
      builder.show_requests(options.requests);
      break;
    case Layout::inspected:
      builder.show_inspected();
      break;
  }
  return builder.take_systems();
}

}  // namespace vimg
