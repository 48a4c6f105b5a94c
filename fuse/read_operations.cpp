#include <unistd.h>

#include "fuse/attributes.h"
#include "fuse/guard.h"
#include "fuse/open_file.h"
#include "fuse/operations.h"
#include "fuse/thread_buffer.h"
#include "fuse/volume_file.h"

namespace vimg {
namespace {

void open(fuse_req_t request, fuse_ino_t node, fuse_file_info* file) noexcept {
  guard(request, [&](MountState& mount) {
    if (!mount.tree.has_virtual_nodes()) {
      // All files are those of file systems, which need no opening: the kernel is told to ask no
      // more, and keeps what it has cached.
      fuse_reply_err(request, ENOSYS);
      return;
    }
    open_file(mount, mount.tree.place(node), *file);
    if (fuse_reply_open(request, file) != 0) {
      close_file(mount, mount.tree.place(node), *file);
    }
  });
}

void release(fuse_req_t request, fuse_ino_t node, fuse_file_info* file) noexcept {
  guard(request, [&](MountState& mount) {
    close_file(mount, mount.tree.place(node), *file);
    fuse_reply_err(request, 0);
  });
}

std::size_t read_place(const MountState& mount, const Tree::Place& place,
                       const fuse_file_info* file, std::uint64_t offset, Bytes out) {
  if (place.view != nullptr) {
    return place.view->filesystem->reading().read(place.inode, offset, out);
  }
  if (place.virtual_node->kind == VirtualKind::volume) {
    return read_volume(*disk_of(mount, *place.virtual_node), offset, out);
  }
  return read_report(*file, offset, out);
}

void read(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset,
          fuse_file_info* file) noexcept {
  guard(request, [&](MountState& mount) {
    const Bytes buffer = thread_buffer(size);
    const std::size_t length =
        read_place(mount, mount.tree.place(node), file, std::uint64_t(offset), buffer);
    fuse_reply_buf(request, text_of(buffer).data(), length);
  });
}

std::optional<std::uint64_t> seek_place(const MountState& mount, const Tree::Place& place,
                                        std::uint64_t offset, SeekTarget target) {
  if (place.view != nullptr) {
    return place.view->filesystem->reading().seek(place.inode, offset, target);
  }
  if (place.virtual_node->kind != VirtualKind::volume) {
    throw_error(EINVAL, "mount", "only volumes and the files in them can be sparse");
  }
  return seek_volume(*disk_of(mount, *place.virtual_node), offset, target);
}

void reply_seek(fuse_req_t request, NodeId node, std::uint64_t offset, SeekTarget target) noexcept {
  guard(request, [&](MountState& mount) {
    if (const auto found = seek_place(mount, mount.tree.place(node), offset, target)) {
      fuse_reply_lseek(request, off_t(*found));
    } else {
      fuse_reply_err(request, ENXIO);
    }
  });
}

// The kernel asks without writing out its page cache first, so that what was just written would
// seem to be a hole.
void lseek(fuse_req_t request, fuse_ino_t node, off_t offset, int whence,
           fuse_file_info*) noexcept {
  guard(request, [&](MountState& mount) {
    if (offset < 0 || (whence != SEEK_DATA && whence != SEEK_HOLE)) {
      fuse_reply_err(request, EINVAL);
      return;
    }
    const SeekTarget target = whence == SEEK_DATA ? SeekTarget::data : SeekTarget::hole;
    if (!mount.writable()) {
      reply_seek(request, node, std::uint64_t(offset), target);
      return;
    }
    mount.after_write_back(node, [request, node, offset, target] {
      reply_seek(request, node, std::uint64_t(offset), target);
    });
  });
}

}  // namespace

void add_read_operations(fuse_lowlevel_ops& operations) {
  operations.open = open;
  operations.release = release;
  operations.read = read;
  operations.lseek = lseek;
}

}  // namespace vimg
