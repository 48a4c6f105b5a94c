// Ext4Writer: attributes and extended attributes.
#include <cerrno>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_acl.h"
#include "fsdrivers/ext4_write_xattr.h"
#include "fsdrivers/ext4_writer_apply.h"
#include "fsdrivers/ext4_writer_checks.h"
#include "fsdrivers/posix_acl.h"

namespace vimg::ext4 {
namespace {

constexpr std::string_view access_acl = "system.posix_acl_access";
constexpr std::string_view default_acl = "system.posix_acl_default";

void set_permissions(Change& change, InodeRecord& inode, mode_t permissions) {
  const mode_t mode = (inode.raw.mode & mode_t(S_IFMT)) | (permissions & mode_t(07777));
  inode.raw.mode = std::uint16_t(mode);
  if (const auto stored = stored_xattr(change, inode, xattr_name(access_acl))) {
    const std::vector<std::byte> changed = change_acl(acl_from_disk(*stored), mode);
    set_stored_xattr(change, inode, xattr_name(access_acl), acl_to_disk(changed), XattrMode::set);
  }
}

void change_fields(Change& change, InodeRecord& inode, const AttributeChange& wanted) {
  if (wanted.permissions) {
    set_permissions(change, inode, *wanted.permissions);
  }
  if (wanted.uid || wanted.gid) {
    set_owner(inode, wanted.uid.value_or(uid_of(inode)), wanted.gid.value_or(gid_of(inode)));
  }
  if (wanted.atime) {
    set_atime(inode, *wanted.atime);
  }
  if (wanted.mtime) {
    set_mtime(inode, *wanted.mtime);
  }
  set_ctime(inode, wanted.ctime.value_or(current_time()));
}

void check_can_set_xattr(const InodeRecord& inode) {
  if (inode.has_flag(inode_immutable) || inode.has_flag(inode_append_only)) {
    throw_error(EPERM, layer, fmt::format("inode {} is immutable", inode.number));
  }
}

// Returns what is left to store, or nothing when the mode says it all.
std::optional<std::vector<std::byte>> prepare_acl(InodeRecord& inode, std::string_view name,
                                                  ConstBytes value) {
  if (inode.type() == S_IFLNK) {
    throw_error(EOPNOTSUPP, layer, "a symbolic link has no ACL");
  }
  if (name == access_acl) {
    AclAndMode applied = apply_acl(value, inode.raw.mode);
    inode.raw.mode = std::uint16_t(applied.mode);
    return applied.acl ? std::optional(acl_to_disk(*applied.acl)) : std::nullopt;
  }
  if (!inode.is_directory()) {
    throw_error(EACCES, layer, "only directories have a default ACL");
  }
  check_acl(value);
  const std::vector<std::byte> stored = acl_to_disk(value);
  constexpr std::size_t only_version = 4;
  return stored.size() > only_version ? std::optional(stored) : std::nullopt;
}

}  // namespace

Attributes Ext4Writer::change(InodeNumber number, const AttributeChange& wanted) {
  if (wanted.size) {
    resize(number, *wanted.size);
  }
  const bool more = wanted.permissions || wanted.uid || wanted.gid || wanted.atime ||
                    wanted.mtime || wanted.ctime;
  if (more) {
    apply([&](Change& change, InodeSet& inodes) {
      InodeRecord& inode = inodes.get(number);
      check_mutable(inode);
      if (inode.has_flag(inode_append_only)) {
        throw_error(EPERM, layer, fmt::format("inode {} is only to be appended to", number));
      }
      change_fields(change, inode, wanted);
    });
  }
  return reader_.attributes(number);
}

void Ext4Writer::set_xattr(InodeNumber number, std::string_view name, ConstBytes value,
                           XattrMode mode) {
  apply([&](Change& change, InodeSet& inodes) {
    InodeRecord& inode = inodes.get(number);
    check_can_set_xattr(inode);
    const XattrName split = xattr_name(name);
    set_ctime(inode, current_time());
    if (name != access_acl && name != default_acl) {
      set_stored_xattr(change, inode, split, value, mode);
      return;
    }
    if (const auto stored = prepare_acl(inode, name, value)) {
      set_stored_xattr(change, inode, split, *stored, mode);
    } else {
      remove_stored_xattr(change, inode, split);
    }
  });
}

void Ext4Writer::remove_xattr(InodeNumber number, std::string_view name) {
  apply([&](Change& change, InodeSet& inodes) {
    InodeRecord& inode = inodes.get(number);
    check_can_set_xattr(inode);
    if (!remove_stored_xattr(change, inode, xattr_name(name))) {
      throw_error(ENODATA, layer, fmt::format("inode {} has no attribute '{}'", number, name));
    }
    set_ctime(inode, current_time());
  });
}

}  // namespace vimg::ext4
