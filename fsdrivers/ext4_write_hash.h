// How directories of ext4 hash and compare names; libext2fs computes it.
#pragma once

#include <cstdint>
#include <string_view>

namespace vimg::ext4 {

class Layout;

// The seed of all that belongs to one inode: directory blocks, extent blocks, the inode itself.
std::uint32_t inode_seed(const Layout& layout, std::uint32_t inode,
                         std::uint32_t generation) noexcept;

enum class NameCase { exact, folded };

// The hash by which an indexed directory sorts `name`; bit 0 is always clear.
// Throws Error(EUCLEAN) for an unknown version, Error(EINVAL) for a name that cannot be folded.
std::uint32_t directory_hash(const Layout& layout, std::uint8_t version, NameCase name_case,
                             std::string_view name);

// True when a casefolded directory takes the two names for one.
bool same_folded(const Layout& layout, std::string_view left, std::string_view right);
// False for a name that a casefolded directory with strict encoding refuses.
bool is_encodable(const Layout& layout, std::string_view name);

}  // namespace vimg::ext4
