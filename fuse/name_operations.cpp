#include <sys/sysmacros.h>

#include <cstdio>

#include "fuse/attributes.h"
#include "fuse/guard.h"
#include "fuse/operations.h"
#include "fuse/ownership.h"

namespace vimg {
namespace {

// A directory whose names may be changed.
struct Target {
  const View& view;
  WritableFileSystem& writer;
  InodeNumber directory;
};

Target target_of(const MountState& mount, fuse_ino_t node) {
  const Tree::Place place = mount.tree.place(node);
  if (place.view == nullptr) {
    throw_error(EPERM, "mount", "the mount's own directories cannot be changed");
  }
  return {*place.view, place.view->filesystem->writing(), place.inode};
}

// Throws Error(EBUSY) when `name` is a directory that something is mounted on.
void check_not_crossed(const MountState& mount, const Target& target, const char* name) {
  if (target.view.crossings.empty()) {
    return;
  }
  const auto inode = target.view.filesystem->reading().lookup(target.directory, name);
  if (inode && mount.tree.crossing(target.view, *inode) != nullptr) {
    throw_error(EBUSY, "mount", "a file system is mounted there");
  }
}

NewFile new_file(fuse_req_t request, const MountState& mount, const Target& target, mode_t mode) {
  const Owner owner = owner_of_new(mount, *fuse_req_ctx(request));
  const mode_t masked = masked_mode(target.view.filesystem->reading(), target.directory, mode,
                                    fuse_req_ctx(request)->umask);
  return {.mode = masked, .uid = owner.uid, .gid = owner.gid};
}

void create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode,
            fuse_file_info* file) noexcept {
  guard(request, [&](MountState& mount) {
    const Target target = target_of(mount, parent);
    const Attributes attributes = target.writer.create(
        target.directory, name, new_file(request, mount, target, S_IFREG | (mode & 07777)));
    const fuse_entry_param entry = entry_of(mount, target.view, attributes);
    file->keep_cache = 1;
    target.view.filesystem->remember(attributes.inode);
    if (fuse_reply_create(request, &entry, file) != 0) {
      note_errors(mount.problems, [&] { target.view.filesystem->forget(attributes.inode, 1); });
    }
  });
}

void mknod(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode,
           dev_t device) noexcept {
  guard(request, [&](MountState& mount) {
    const Target target = target_of(mount, parent);
    NewFile file = new_file(request, mount, target, mode);
    file.device_major = major(device);
    file.device_minor = minor(device);
    reply_entry(request, mount, target.view, target.writer.create(target.directory, name, file));
  });
}

void mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) noexcept {
  guard(request, [&](MountState& mount) {
    const Target target = target_of(mount, parent);
    const NewFile file = new_file(request, mount, target, S_IFDIR | (mode & 07777));
    reply_entry(request, mount, target.view,
                target.writer.make_directory(target.directory, name, file));
  });
}

void symlink(fuse_req_t request, const char* link_target, fuse_ino_t parent,
             const char* name) noexcept {
  guard(request, [&](MountState& mount) {
    const Target target = target_of(mount, parent);
    const Owner owner = owner_of_new(mount, *fuse_req_ctx(request));
    reply_entry(
        request, mount, target.view,
        target.writer.make_symlink(target.directory, name, link_target, owner.uid, owner.gid));
  });
}

void link(fuse_req_t request, fuse_ino_t node, fuse_ino_t parent, const char* name) noexcept {
  guard(request, [&](MountState& mount) {
    const Tree::Place place = mount.tree.place(node);
    const Target target = target_of(mount, parent);
    if (place.view == nullptr || place.view->filesystem != target.view.filesystem) {
      fuse_reply_err(request, EXDEV);
      return;
    }
    reply_entry(request, mount, target.view,
                target.writer.link(place.inode, target.directory, name));
  });
}

void unlink(fuse_req_t request, fuse_ino_t parent, const char* name) noexcept {
  guard(request, [&](MountState& mount) {
    const Target target = target_of(mount, parent);
    target.writer.unlink(target.directory, name);
    fuse_reply_err(request, 0);
  });
}

void rmdir(fuse_req_t request, fuse_ino_t parent, const char* name) noexcept {
  guard(request, [&](MountState& mount) {
    const Target target = target_of(mount, parent);
    check_not_crossed(mount, target, name);
    target.writer.remove_directory(target.directory, name);
    fuse_reply_err(request, 0);
  });
}

RenameMode rename_mode(unsigned flags) {
  switch (flags) {
    case 0:
      return RenameMode::replace;
    case RENAME_NOREPLACE:
      return RenameMode::no_replace;
    case RENAME_EXCHANGE:
      return RenameMode::exchange;
    case RENAME_WHITEOUT:
      return RenameMode::whiteout;
    default:
      throw_error(EINVAL, "mount", "these flags of rename");
  }
}

void rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
            const char* new_name, unsigned flags) noexcept {
  guard(request, [&](MountState& mount) {
    const Target from = target_of(mount, parent);
    const Target to = target_of(mount, new_parent);
    if (&from.view != &to.view) {
      fuse_reply_err(request, EXDEV);
      return;
    }
    check_not_crossed(mount, from, name);
    check_not_crossed(mount, to, new_name);
    from.writer.rename(from.directory, name, to.directory, new_name, rename_mode(flags));
    fuse_reply_err(request, 0);
  });
}

}  // namespace

void add_name_operations(fuse_lowlevel_ops& operations) {
  operations.create = create;
  operations.mknod = mknod;
  operations.mkdir = mkdir;
  operations.symlink = symlink;
  operations.link = link;
  operations.unlink = unlink;
  operations.rmdir = rmdir;
  operations.rename = rename;
}

}  // namespace vimg
