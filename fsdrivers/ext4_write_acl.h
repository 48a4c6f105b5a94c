// POSIX ACLs in what they have to do with the mode: set, and inherited.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "disk/bytes.h"

namespace vimg::ext4 {

// Both take and give ACLs in the kernel's layout.
struct AclAndMode {
  std::optional<std::vector<std::byte>> acl;  // empty when the mode says it all
  mode_t mode;
};

// Throws Error(EINVAL) for an ACL that is neither valid nor empty.
void check_acl(ConstBytes acl);
// What setting `acl` as the access ACL makes of a file with `mode`.
// Throws Error(EINVAL) for an ACL that is not valid.
AclAndMode apply_acl(ConstBytes acl, mode_t mode);
// What a new file with `mode` gets in a directory with the default ACL `acl`.
AclAndMode inherit_acl(ConstBytes acl, mode_t mode);
// What changing the permissions to `mode` makes of the access ACL `acl`.
std::vector<std::byte> change_acl(ConstBytes acl, mode_t mode);

}  // namespace vimg::ext4
