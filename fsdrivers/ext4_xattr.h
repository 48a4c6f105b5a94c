// Extended attributes of ext4: in the inode, in a block, and with values in inodes of their own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fsdrivers/ext4_inode.h"

namespace vimg::ext4 {

class Content;

// The names that the kernel shows, with their prefixes, those in the inode first.
std::vector<std::string> xattr_names_of(const Content& content, const Inode& inode);
// The value, ACLs in the kernel's layout; empty when there is none of that name.
std::optional<std::vector<std::byte>> xattr_of(const Content& content, const Inode& inode,
                                               std::string_view name);
// The value of system.data, which holds what of the inline data the block map has no room for.
ConstBytes inline_data_attribute(const Inode& inode);

}  // namespace vimg::ext4
