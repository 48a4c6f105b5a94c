// Extended attributes: set and removed, in the inode, in its block, or in an inode of their own.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "fsdrivers/ext4_write_inode.h"
#include "fsdrivers/ext4_write_xattr_list.h"

namespace vimg::ext4 {

// A name taken apart.  Throws Error(EOPNOTSUPP) for a prefix that ext4 does not keep, Error(ERANGE)
// for a name that is too long.
struct XattrName {
  std::uint8_t index;
  std::string_view rest;
};
XattrName xattr_name(std::string_view full_name);

// The value as it is stored.
std::optional<std::vector<std::byte>> stored_xattr(Change& change, InodeRecord& inode,
                                                   XattrName name);
// `inode` is changed in memory; the caller stores it.  Throws Error(ENOSPC) when there is no room,
// Error(EEXIST or ENODATA) as `mode` wants it.
void set_stored_xattr(Change& change, InodeRecord& inode, XattrName name, ConstBytes value,
                      XattrMode mode);
// False when there is none.
bool remove_stored_xattr(Change& change, InodeRecord& inode, XattrName name);
// Frees what the attributes take outside of the inode, for an inode that goes.
void drop_xattrs(Change& change, InodeRecord& inode);

}  // namespace vimg::ext4
