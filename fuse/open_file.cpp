#include "fuse/open_file.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "disk/error.h"
#include "fuse/volume_file.h"

namespace vimg {
namespace {

bool for_writing(const fuse_file_info& file) noexcept {
  return (file.flags & O_ACCMODE) != O_RDONLY;
}

// FUSE keeps one number for each open file: the address.
std::string* report_of(const fuse_file_info& file) noexcept {
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  return reinterpret_cast<std::string*>(file.fh);
}

void open_volume(MountState& mount, const VirtualNode& node, fuse_file_info& file) {
  const DiskPtr disk = disk_of(mount, node);
  if (!for_writing(file)) {
    // What the tree and other volumes change is not in the kernel's cache of this file.
    file.direct_io = mount.writable() ? 1 : 0;
    file.keep_cache = 1;
    return;
  }
  if (!disk->writable()) {
    throw_error(EROFS, node.name, "mounted read-only");
  }
  mount.claims.open_file(node.volume);
  file.direct_io = 1;
}

void open_report(MountState& mount, fuse_file_info& file) {
  if (for_writing(file)) {
    throw_error(EROFS, "mount", "the report cannot be written");
  }
  file.fh =
      reinterpret_cast<std::uint64_t>(std::make_unique<std::string>(mount.report()).release());
  file.direct_io = 1;
}

}  // namespace

void open_file(MountState& mount, const Tree::Place& place, fuse_file_info& file) {
  if (place.view != nullptr) {
    // Says now what reading would say, as an empty file is never read: ENOKEY of an encrypted one.
    place.view->filesystem->reading().read(place.inode, 0, {});
    file.keep_cache = 1;
    return;
  }
  switch (place.virtual_node->kind) {
    case VirtualKind::volume:
      open_volume(mount, *place.virtual_node, file);
      break;
    case VirtualKind::report:
      open_report(mount, file);
      break;
    default:
      throw_error(EISDIR, place.virtual_node->name, "is a directory");
  }
}

void close_file(MountState& mount, const Tree::Place& place, const fuse_file_info& file) noexcept {
  if (place.view != nullptr) {
    return;
  }
  if (place.virtual_node->kind == VirtualKind::report) {
    delete report_of(file);
  } else if (place.virtual_node->kind == VirtualKind::volume && for_writing(file)) {
    mount.claims.close_file(place.virtual_node->volume);
  }
}

std::size_t read_report(const fuse_file_info& file, std::uint64_t offset, Bytes out) {
  const std::string& text = *report_of(file);
  if (offset >= text.size()) {
    return 0;
  }
  const std::size_t length = std::min(out.size(), text.size() - std::size_t(offset));
  std::copy_n(bytes_of(std::string_view(text)).begin() + std::ptrdiff_t(offset), length,
              out.begin());
  return length;
}

}  // namespace vimg
