#include "fsdrivers/ext4_write_inherit.h"

#include "fsdrivers/ext4_write_acl.h"
#include "fsdrivers/ext4_write_xattr.h"
#include "fsdrivers/posix_acl.h"

namespace vimg::ext4 {

NewFile with_inherited_group(const InodeRecord& directory, const NewFile& file) noexcept {
  NewFile result = file;
  if ((directory.raw.mode & S_ISGID) != 0) {
    result.gid = gid_of(directory);
    if (S_ISDIR(file.mode)) {
      result.mode |= S_ISGID;
    }
  }
  return result;
}

void inherit_default_acl(Change& change, InodeRecord& directory, InodeRecord& inode) {
  if (inode.type() == S_IFLNK) {
    return;
  }
  const auto stored = stored_xattr(change, directory, xattr_name("system.posix_acl_default"));
  if (!stored) {
    return;
  }
  const AclAndMode inherited = inherit_acl(acl_from_disk(*stored), inode.raw.mode);
  inode.raw.mode = std::uint16_t(inherited.mode);
  if (inherited.acl) {
    set_stored_xattr(change, inode, xattr_name("system.posix_acl_access"),
                     acl_to_disk(*inherited.acl), XattrMode::set);
  }
  if (inode.is_directory()) {
    set_stored_xattr(change, inode, xattr_name("system.posix_acl_default"), *stored,
                     XattrMode::set);
  }
}

}  // namespace vimg::ext4
