// XattrList: the extended attributes of one place, taken apart and put together again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "disk/bytes.h"

namespace vimg::ext4 {

struct StoredXattr {
  std::uint8_t index;  // stands for the prefix
  std::string name;    // without it
  std::vector<std::byte> value;
  std::uint32_t value_inode = 0;  // holds the value when not 0; `value` is empty then
  std::uint32_t value_size = 0;   // of what value_inode holds
  std::uint32_t hash = 0;         // as stored
};
using XattrList = std::vector<StoredXattr>;

constexpr std::uint8_t xattr_index_system = 7;

// Throw Error(EUCLEAN) for a list that leaves its place.  An inode's area without the magic number
// is empty.
XattrList parse_inode_xattrs(ConstBytes area);
XattrList parse_xattr_block(ConstBytes block);

// Where in `area` the value of system.data lies; empty when there is none.
Bytes inline_data_value(Bytes area);

// False when the list does not fit; nothing is changed then.  An empty list leaves zeros.
bool store_inode_xattrs(Bytes area, const XattrList& list);
// The block's reference count becomes 1; its checksum is left to the seal.
bool store_xattr_block(Bytes block, XattrList list);

// The hash of an entry whose value lies in an inode with the hash `value_hash`.
std::uint32_t hash_of_inode_value(std::string_view name, std::uint32_t value_hash) noexcept;

}  // namespace vimg::ext4
