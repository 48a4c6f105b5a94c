#include "fuse/attributes.h"

#include <sys/sysmacros.h>

#include "fuse/guard.h"

namespace vimg {
namespace {

mode_t mode_of(const MountState& mount, VirtualKind kind) noexcept {
  switch (kind) {
    case VirtualKind::volume:
      return S_IFREG | (mount.writable() ? 0600 : 0400);
    case VirtualKind::report:
      return S_IFREG | 0444;
    default:
      return S_IFDIR | 0555;
  }
}

std::uint64_t size_of(const MountState& mount, const VirtualNode& node) {
  if (node.kind == VirtualKind::volume) {
    const DiskPtr disk = mount.volume_disk(node.volume);
    return disk ? disk->size() : 0;
  }
  return node.kind == VirtualKind::report ? mount.report().size() : 0;
}

}  // namespace

double cache_timeout(const View& view, mode_t type) noexcept {
  return view.shared && view.filesystem->writable() && S_ISDIR(type) ? 0 : long_timeout;
}

double name_timeout(const View& view) noexcept {
  // The kernel keeps each spelling apart, and would not know that one of them is no longer right.
  const bool folds = view.filesystem->writable() && view.filesystem->folds_names();
  return folds ? 0 : cache_timeout(view, S_IFDIR);
}

struct stat stat_of(const MountState& mount, const View& view, const Attributes& attributes) {
  struct stat result {};
  result.st_ino = mount.tree.shown_inode(view, attributes.inode);
  result.st_mode = attributes.mode;
  result.st_nlink = attributes.nlink;
  result.st_uid = attributes.uid;
  result.st_gid = attributes.gid;
  result.st_rdev = makedev(attributes.device_major, attributes.device_minor);
  result.st_size = off_t(attributes.size);
  result.st_blksize = blksize_t(attributes.block_size);
  result.st_blocks = blkcnt_t(attributes.blocks);
  result.st_atim = attributes.atime;
  result.st_mtim = attributes.mtime;
  result.st_ctim = attributes.ctime;
  return result;
}

struct stat stat_of(const MountState& mount, const VirtualNode& node) {
  struct stat result {};
  result.st_ino = mount.tree.node(node);
  result.st_mode = mode_of(mount, node.kind);
  result.st_nlink = node.kind == VirtualKind::directory ? 2 : 1;
  result.st_uid = mount.owner;
  result.st_gid = mount.owner_group;
  result.st_size = off_t(size_of(mount, node));
  result.st_blksize = 65536;
  // One less than all: cp and tar then look for holes, while 0 would tell tar that there is no
  // data.
  result.st_blocks = result.st_size / 512 - (result.st_size > 1024 ? 1 : 0);
  result.st_atim = result.st_mtim = result.st_ctim = mount.mounted;
  return result;
}

fuse_entry_param entry_of(const MountState& mount, const View& view, const Attributes& attributes) {
  fuse_entry_param entry{};
  entry.ino = mount.tree.node(view, attributes.inode, attributes.mode);
  entry.generation = attributes.generation;
  entry.attr = stat_of(mount, view, attributes);
  entry.attr_timeout = cache_timeout(view, attributes.mode);
  entry.entry_timeout = name_timeout(view);
  return entry;
}

fuse_entry_param entry_of(const MountState& mount, const VirtualNode& node) {
  fuse_entry_param entry{};
  entry.ino = mount.tree.node(node);
  entry.attr = stat_of(mount, node);
  // The report grows as problems are met.
  entry.attr_timeout = node.kind == VirtualKind::report ? 0 : long_timeout;
  entry.entry_timeout = long_timeout;
  return entry;
}

Seen cross(const Tree& tree, const View& view, InodeNumber inode) {
  const View* mounted = tree.crossing(view, inode);
  // Each step goes to a view that was mounted later, so this ends.
  return mounted != nullptr ? cross(tree, *mounted, mounted->top()) : Seen{&view, inode};
}

void reply_entry(fuse_req_t request, const MountState& mount, const View& view,
                 const Attributes& attributes) {
  const fuse_entry_param entry = entry_of(mount, view, attributes);
  view.filesystem->remember(attributes.inode);
  if (fuse_reply_entry(request, &entry) != 0) {
    note_errors(mount.problems, [&] { view.filesystem->forget(attributes.inode, 1); });
  }
}

}  // namespace vimg
