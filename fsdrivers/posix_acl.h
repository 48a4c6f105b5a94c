// POSIX ACLs: from ext4's layout to the kernel's of "system.posix_acl_access" and back.
#pragma once

#include <cstddef>
#include <vector>

#include "disk/bytes.h"

namespace vimg {

// Throws Error(EUCLEAN) when `stored` is not an ACL as ext4 keeps it.
std::vector<std::byte> acl_from_disk(ConstBytes stored);

// Throws Error(EINVAL) when `value` is not an ACL as setxattr(2) takes it.
std::vector<std::byte> acl_to_disk(ConstBytes value);

}  // namespace vimg
