#include <sys/xattr.h>

#include "fuse/attributes.h"
#include "fuse/guard.h"
#include "fuse/operations.h"

namespace vimg {
namespace {

// Size 0 asks how much there is.
void reply_bytes(fuse_req_t request, std::string_view bytes, std::size_t size) {
  if (size == 0) {
    fuse_reply_xattr(request, bytes.size());
  } else if (bytes.size() > size) {
    fuse_reply_err(request, ERANGE);
  } else {
    fuse_reply_buf(request, bytes.data(), bytes.size());
  }
}

void getxattr(fuse_req_t request, fuse_ino_t node, const char* name, std::size_t size) noexcept {
  guard(request, [&](MountState& mount) {
    const Tree::Place place = mount.tree.place(node);
    if (place.view == nullptr) {
      fuse_reply_err(request, ENODATA);
      return;
    }
    const auto value = place.view->filesystem->reading().xattr(place.inode, name);
    if (value) {
      reply_bytes(request, text_of(*value), size);
    } else {
      fuse_reply_err(request, ENODATA);
    }
  });
}

// Joined by NULs.  The kernel's file systems show trusted names to root only, and the kernel lets
// nobody else read them.
std::string names_for(const std::vector<std::string>& names, uid_t caller) {
  std::string joined;
  for (const std::string& name : names) {
    if (caller == 0 || !name.starts_with("trusted.")) {
      joined.append(name).push_back('\0');
    }
  }
  return joined;
}

void listxattr(fuse_req_t request, fuse_ino_t node, std::size_t size) noexcept {
  guard(request, [&](MountState& mount) {
    const Tree::Place place = mount.tree.place(node);
    const auto names = place.view != nullptr
                           ? place.view->filesystem->reading().xattr_names(place.inode)
                           : std::vector<std::string>{};
    reply_bytes(request, names_for(names, fuse_req_ctx(request)->uid), size);
  });
}

XattrMode xattr_mode(int flags) noexcept {
  if ((flags & XATTR_CREATE) != 0) {
    return XattrMode::create;
  }
  return (flags & XATTR_REPLACE) != 0 ? XattrMode::replace : XattrMode::set;
}

WritableFileSystem& writer_of(const Tree::Place& place) {
  if (place.view == nullptr) {
    throw_unsupported("mount", "attributes of the mount's own files");
  }
  return place.view->filesystem->writing();
}

void setxattr(fuse_req_t request, fuse_ino_t node, const char* name, const char* value,
              std::size_t size, int flags) noexcept {
  guard(request, [&](MountState& mount) {
    const Tree::Place place = mount.tree.place(node);
    writer_of(place).set_xattr(place.inode, name, bytes_of(std::string_view(value, size)),
                               xattr_mode(flags));
    fuse_reply_err(request, 0);
  });
}

void removexattr(fuse_req_t request, fuse_ino_t node, const char* name) noexcept {
  guard(request, [&](MountState& mount) {
    const Tree::Place place = mount.tree.place(node);
    writer_of(place).remove_xattr(place.inode, name);
    fuse_reply_err(request, 0);
  });
}

}  // namespace

void add_xattr_operations(fuse_lowlevel_ops& operations) {
  operations.getxattr = getxattr;
  operations.listxattr = listxattr;
  operations.setxattr = setxattr;
  operations.removexattr = removexattr;
}

}  // namespace vimg
