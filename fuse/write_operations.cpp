#include <fcntl.h>

#include <ctime>

#include "fuse/attributes.h"
#include "fuse/guard.h"
#include "fuse/operations.h"
#include "fuse/privileges.h"
#include "fuse/volume_file.h"

namespace vimg {
namespace {

// The Disk of a virtual node that is a volume and may be written.
DiskPtr writable_volume(const MountState& mount, const VirtualNode& node) {
  if (node.kind != VirtualKind::volume) {
    throw_error(EPERM, "mount", "only volumes and what lies in file systems can be written");
  }
  DiskPtr disk = disk_of(mount, node);
  mount.claims.note_write(node.volume);
  return disk;
}

std::size_t write_place(const MountState& mount, const Tree::Place& place, std::uint64_t offset,
                        ConstBytes data, TimeUpdate times) {
  if (place.view == nullptr) {
    return write_volume(*writable_volume(mount, *place.virtual_node), offset, data);
  }
  place.view->filesystem->writing().write(place.inode, offset, data, times);
  return data.size();
}

void write(fuse_req_t request, fuse_ino_t node, const char* data, std::size_t size, off_t offset,
           fuse_file_info* file) noexcept {
  guard(request, [&](MountState& mount) {
    const Tree::Place place = mount.tree.place(node);
    // What comes from the page cache was checked by the kernel when it was put there, and got its
    // times then; the kernel sends those when it likes.
    const TimeUpdate times = file->writepage != 0 ? TimeUpdate::none : TimeUpdate::now;
    if (place.view != nullptr && times == TimeUpdate::now) {
      take_privileges_for_write(mount, node, place, *fuse_req_ctx(request));
    }
    const ConstBytes bytes = bytes_of(std::string_view(data, size));
    fuse_reply_write(request, write_place(mount, place, std::uint64_t(offset), bytes, times));
  });
}

timespec now() noexcept {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return time;
}

AttributeChange change_of(const struct stat& wanted, int which) {
  AttributeChange change;
  if ((which & FUSE_SET_ATTR_MODE) != 0) {
    change.permissions = wanted.st_mode & 07777;
  }
  if ((which & FUSE_SET_ATTR_UID) != 0) {
    change.uid = wanted.st_uid;
  }
  if ((which & FUSE_SET_ATTR_GID) != 0) {
    change.gid = wanted.st_gid;
  }
  if ((which & FUSE_SET_ATTR_SIZE) != 0) {
    change.size = std::uint64_t(wanted.st_size);
  }
  if ((which & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW)) != 0) {
    change.atime = (which & FUSE_SET_ATTR_ATIME_NOW) != 0 ? now() : wanted.st_atim;
  }
  if ((which & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) != 0) {
    change.mtime = (which & FUSE_SET_ATTR_MTIME_NOW) != 0 ? now() : wanted.st_mtim;
  }
  if ((which & FUSE_SET_ATTR_CTIME) != 0) {
    change.ctime = wanted.st_ctim;
  }
  return change;
}

// A volume has neither owner nor times of its own.  O_TRUNC, which comes as size 0, and truncation
// to the same size are taken as a block device takes them: nothing happens.
void change_virtual(const MountState& mount, const VirtualNode& node,
                    const AttributeChange& change) {
  const bool owned = change.permissions || change.uid || change.gid;
  const bool resized =
      change.size && *change.size != 0 && *change.size != disk_of(mount, node)->size();
  if (node.kind != VirtualKind::volume || owned || resized) {
    throw_error(EPERM, "mount", "only the bytes of a volume can be changed");
  }
}

void setattr(fuse_req_t request, fuse_ino_t node, struct stat* wanted, int which,
             fuse_file_info*) noexcept {
  guard(request, [&](MountState& mount) {
    const Tree::Place place = mount.tree.place(node);
    AttributeChange change = change_of(*wanted, which);
    if (place.view == nullptr) {
      change_virtual(mount, *place.virtual_node, change);
      const fuse_entry_param entry = entry_of(mount, *place.virtual_node);
      fuse_reply_attr(request, &entry.attr, entry.attr_timeout);
      return;
    }
    take_privileges(mount, place, *fuse_req_ctx(request), change);
    const Attributes changed = place.view->filesystem->writing().change(place.inode, change);
    const struct stat status = stat_of(mount, *place.view, changed);
    fuse_reply_attr(request, &status, cache_timeout(*place.view, changed.mode));
  });
}

FallocateMode fallocate_mode(int flags) {
  switch (flags) {
    case 0:
      return FallocateMode::allocate;
    case FALLOC_FL_KEEP_SIZE:
      return FallocateMode::allocate_keep_size;
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
      return FallocateMode::punch_hole;
    case FALLOC_FL_ZERO_RANGE:
      return FallocateMode::zero_range;
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
      return FallocateMode::zero_range_keep_size;
    case FALLOC_FL_COLLAPSE_RANGE:
      return FallocateMode::collapse_range;
    case FALLOC_FL_INSERT_RANGE:
      return FallocateMode::insert_range;
    default:
      throw_unsupported("mount", "this mode of fallocate");
  }
}

void fallocate(fuse_req_t request, fuse_ino_t node, int flags, off_t offset, off_t length,
               fuse_file_info*) noexcept {
  guard(request, [&](MountState& mount) {
    const Tree::Place place = mount.tree.place(node);
    const FallocateMode mode = fallocate_mode(flags);
    if (place.view == nullptr) {
      fallocate_volume(*writable_volume(mount, *place.virtual_node), mode, std::uint64_t(offset),
                       std::uint64_t(length));
    } else {
      // The kernel has set the times in its cache, and sends them.
      place.view->filesystem->writing().fallocate(place.inode, mode, std::uint64_t(offset),
                                                  std::uint64_t(length), TimeUpdate::none);
    }
    fuse_reply_err(request, 0);
  });
}

void flush_place(const MountState& mount, const Tree::Place& place) {
  if (place.view != nullptr) {
    if (WritableFileSystem* writer = place.view->filesystem->writer()) {
      writer->flush();
    }
  } else if (place.virtual_node->kind == VirtualKind::volume) {
    disk_of(mount, *place.virtual_node)->flush();
  }
}

void fsync(fuse_req_t request, fuse_ino_t node, int, fuse_file_info*) noexcept {
  guard(request, [&](MountState& mount) {
    flush_place(mount, mount.tree.place(node));
    fuse_reply_err(request, 0);
  });
}

}  // namespace

void add_write_operations(fuse_lowlevel_ops& operations) {
  operations.write = write;
  operations.setattr = setattr;
  operations.fallocate = fallocate;
  operations.fsync = fsync;
  operations.fsyncdir = fsync;
}

}  // namespace vimg
