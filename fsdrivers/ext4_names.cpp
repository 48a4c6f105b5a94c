#include "fsdrivers/ext4_names.h"

#include <ext2fs/ext2fs.h>
#include <fmt/format.h>

#include "disk/error.h"

namespace vimg::ext4 {
namespace {

const unsigned char* characters(std::string_view text) noexcept {
  return static_cast<const unsigned char*>(static_cast<const void*>(text.data()));
}

}  // namespace

NameRules::NameRules(const Superblock& superblock)
    : default_version_(superblock.hash_version),
      sign_step_((superblock.flags & flag_unsigned_hash) != 0 ? hash_unsigned_step
                                                              : std::uint8_t{0}) {
  for (std::size_t i = 0; i < seed_.size(); ++i) {
    seed_[i] = superblock.hash_seed[i];
  }
  if (has_incompat(superblock, incompat_casefold)) {
    encoding_ = ext2fs_load_nls_table(superblock.encoding);
    if (encoding_ == nullptr) {
      throw_unsupported(layer, fmt::format("superblock: encoding {} of names is not known",
                                           superblock.encoding.value()));
    }
  }
}

bool NameRules::folds(const Inode& directory) const noexcept {
  return encoding_ != nullptr && directory.has_flag(inode_casefold) &&
         !directory.has_flag(inode_encrypted);
}

// A name that is not valid in the encoding is hashed as it is.
NameHash NameRules::hash(const Inode& directory, std::uint8_t version,
                         std::string_view name) const {
  if (version > hash_tea) {
    return {};
  }
  const int library_version = version + sign_step_;
  const int length = int(name.size());
  NameHash hash;
  if (folds(directory) &&
      ext2fs_dirhash2(library_version, name.data(), length, encoding_, EXT4_CASEFOLD_FL,
                      seed_.data(), &hash.major, &hash.minor) == 0) {
    return hash;
  }
  ext2fs_dirhash(library_version, name.data(), length, seed_.data(), &hash.major, &hash.minor);
  return hash;
}

bool NameRules::matches(const Inode& directory, std::string_view stored,
                        std::string_view name) const {
  if (!folds(directory)) {
    return stored == name;
  }
  return stored == name || ext2fs_casefold_cmp(encoding_, characters(stored), stored.size(),
                                               characters(name), name.size()) == 0;
}

}  // namespace vimg::ext4
