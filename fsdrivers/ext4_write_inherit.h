// What a new file takes over from its directory: the group, and the default ACL.
#pragma once

#include "fsdrivers/ext4_write_inode.h"

namespace vimg::ext4 {

// `file` with the group of a set-group-ID directory, and the bit for directories.
NewFile with_inherited_group(const InodeRecord& directory, const NewFile& file) noexcept;

// Gives `inode` the ACLs, and the permissions, that the directory's default ACL says.
void inherit_default_acl(Change& change, InodeRecord& directory, InodeRecord& inode);

}  // namespace vimg::ext4
