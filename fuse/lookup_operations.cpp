#include <sys/statvfs.h>

#include "fuse/attributes.h"
#include "fuse/guard.h"
#include "fuse/operations.h"

namespace vimg {
namespace {

// An entry without a node: the kernel keeps for a while that there is no such name.
void reply_missing(fuse_req_t request, const View& view) {
  fuse_entry_param nothing{};
  nothing.entry_timeout = name_timeout(view);
  fuse_reply_entry(request, &nothing);
}

void look_up_in_view(fuse_req_t request, const MountState& mount, const View& view,
                     InodeNumber directory, const char* name) {
  const auto found = view.filesystem->reading().lookup(directory, name);
  if (!found) {
    reply_missing(request, view);
    return;
  }
  const Seen seen = cross(mount.tree, view, *found);
  reply_entry(request, mount, *seen.view, seen.view->filesystem->reading().attributes(seen.inode));
}

void look_up_virtual(fuse_req_t request, const MountState& mount, const VirtualNode& directory,
                     const char* name) {
  const VirtualNode* child = mount.tree.child(directory, name);
  if (child == nullptr) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  if (child->kind == VirtualKind::filesystem) {
    const View& view = mount.tree.view(child->view);
    const Seen seen = cross(mount.tree, view, view.top());
    reply_entry(request, mount, *seen.view,
                seen.view->filesystem->reading().attributes(seen.inode));
    return;
  }
  const fuse_entry_param entry = entry_of(mount, *child);
  fuse_reply_entry(request, &entry);
}

void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) noexcept {
  guard(request, [&](MountState& mount) {
    const Tree::Place place = mount.tree.place(parent);
    if (place.view != nullptr) {
      look_up_in_view(request, mount, *place.view, place.inode, name);
    } else {
      look_up_virtual(request, mount, *place.virtual_node, name);
    }
  });
}

void forget_node(MountState& mount, fuse_ino_t node, std::uint64_t count) noexcept {
  note_errors(mount.problems, [&] {
    if (!is_virtual(node)) {
      const Tree::Place place = mount.tree.place(node);
      place.view->filesystem->forget(place.inode, count);
    }
  });
}

void forget(fuse_req_t request, fuse_ino_t node, std::uint64_t count) noexcept {
  forget_node(mount_state(request), node, count);
  fuse_reply_none(request);
}

void forget_multi(fuse_req_t request, std::size_t count, fuse_forget_data* forgets) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    forget_node(mount_state(request), forgets[i].ino, forgets[i].nlookup);
  }
  fuse_reply_none(request);
}

void getattr(fuse_req_t request, fuse_ino_t node, fuse_file_info*) noexcept {
  guard(request, [&](MountState& mount) {
    const Tree::Place place = mount.tree.place(node);
    if (place.view == nullptr) {
      const fuse_entry_param entry = entry_of(mount, *place.virtual_node);
      fuse_reply_attr(request, &entry.attr, entry.attr_timeout);
      return;
    }
    const Attributes attributes = place.view->filesystem->reading().attributes(place.inode);
    const struct stat status = stat_of(mount, *place.view, attributes);
    fuse_reply_attr(request, &status, cache_timeout(*place.view, attributes.mode));
  });
}

void readlink(fuse_req_t request, fuse_ino_t node) noexcept {
  guard(request, [&](MountState& mount) {
    const Tree::Place place = mount.tree.place(node);
    if (place.view == nullptr) {
      fuse_reply_err(request, EINVAL);
      return;
    }
    const std::string target = place.view->filesystem->reading().symlink_target(place.inode);
    fuse_reply_readlink(request, target.c_str());
  });
}

struct statvfs statistics_of(const FileSystemStatistics& statistics) {
  struct statvfs result {};
  result.f_bsize = result.f_frsize = statistics.block_size;
  result.f_blocks = statistics.blocks;
  result.f_bfree = statistics.blocks_free;
  result.f_bavail = statistics.blocks_available;
  result.f_files = statistics.inodes;
  result.f_ffree = result.f_favail = statistics.inodes_free;
  result.f_namemax = statistics.name_max;
  return result;
}

void statfs(fuse_req_t request, fuse_ino_t node) noexcept {
  guard(request, [&](MountState& mount) {
    const Tree::Place place = mount.tree.place(node == 0 ? root_node : node);
    const auto statistics = place.view != nullptr ? place.view->filesystem->reading().statistics()
                                                  : FileSystemStatistics{};
    const struct statvfs result = statistics_of(statistics);
    fuse_reply_statfs(request, &result);
  });
}

}  // namespace

void add_lookup_operations(fuse_lowlevel_ops& operations) {
  operations.lookup = lookup;
  operations.forget = forget;
  operations.forget_multi = forget_multi;
  operations.getattr = getattr;
  operations.readlink = readlink;
  operations.statfs = statfs;
}

}  // namespace vimg
