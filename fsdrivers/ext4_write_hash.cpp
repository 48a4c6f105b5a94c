#include "fsdrivers/ext4_write_hash.h"

#include <algorithm>
#include <array>
#include <string>

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <fmt/format.h>

#include "disk/endian.h"
#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_layout.h"

namespace vimg::ext4 {
namespace {

constexpr std::uint32_t last_hash = 0xFFFFFFFC;

const ext2fs_nls_table* folding_table(const Layout& layout) {
  const ext2fs_nls_table* table = ext2fs_load_nls_table(layout.encoding);
  if (table == nullptr) {
    throw_unsupported(layer, fmt::format("unknown file name encoding {}", layout.encoding));
  }
  return table;
}

unsigned char* name_bytes(std::string_view name) noexcept {
  // The library only reads through these pointers.
  return static_cast<unsigned char*>(const_cast<void*>(static_cast<const void*>(name.data())));
}

}  // namespace

std::uint32_t inode_seed(const Layout& layout, std::uint32_t inode,
                         std::uint32_t generation) noexcept {
  const std::uint32_t seed = crc32c(layout.checksum_seed, inode);
  return crc32c(seed, generation);
}

std::uint32_t directory_hash(const Layout& layout, std::uint8_t version, NameCase name_case,
                             std::string_view name) {
  int actual = version;
  if (version <= EXT2_HASH_TEA && (layout.flags & flag_unsigned_hash) != 0) {
    actual += EXT2_HASH_LEGACY_UNSIGNED;
  }
  std::array<__u32, 4> seed{};
  std::copy(layout.hash_seed.begin(), layout.hash_seed.end(), seed.begin());
  const bool folded = name_case == NameCase::folded;
  ext2_dirhash_t hash = 0;
  ext2_dirhash_t minor = 0;
  const errcode_t code = ext2fs_dirhash2(actual, name.data(), int(name.size()),
                                         folded ? folding_table(layout) : nullptr,
                                         folded ? EXT4_CASEFOLD_FL : 0, seed.data(), &hash, &minor);
  if (code != 0) {
    throw_corrupt(layer, fmt::format("directory hash version {} cannot be computed", version));
  }
  // The kernel keeps the highest value for "end of directory".
  return std::min(hash & ~std::uint32_t(1), last_hash);
}

bool same_folded(const Layout& layout, std::string_view left, std::string_view right) {
  return ext2fs_casefold_cmp(folding_table(layout), name_bytes(left), left.size(),
                             name_bytes(right), right.size()) == 0;
}

bool is_encodable(const Layout& layout, std::string_view name) {
  std::string copy(name);
  char* bad = nullptr;
  return ext2fs_check_encoded_name(folding_table(layout), copy.data(), copy.size(), &bad) == 0;
}

}  // namespace vimg::ext4
