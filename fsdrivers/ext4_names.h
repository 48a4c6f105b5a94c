// NameRules: how ext4 hashes and compares the names in directories.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fsdrivers/ext4_inode.h"
#include "fsdrivers/ext4_superblock.h"

struct ext2fs_nls_table;

namespace vimg::ext4 {

struct NameHash {
  std::uint32_t major = 0;  // bit 0 is always 0
  std::uint32_t minor = 0;
};

// May be called from any thread.
class NameRules {
 public:
  // Throws Error(EOPNOTSUPP) for an encoding of casefolded names that is not known.
  explicit NameRules(const Superblock& superblock);

  // `version` is the index's own, one of the signed ones.  A version that is not known gives zeros.
  NameHash hash(const Inode& directory, std::uint8_t version, std::string_view name) const;
  // The version for directories that have no index yet.
  std::uint8_t default_version() const noexcept { return default_version_; }

  // True when `name` is the name of the entry called `stored`.
  bool matches(const Inode& directory, std::string_view stored, std::string_view name) const;

 private:
  bool folds(const Inode& directory) const noexcept;

  std::array<std::uint32_t, 4> seed_;
  std::uint8_t default_version_;
  std::uint8_t sign_step_;  // added to a version for unsigned characters
  const ext2fs_nls_table* encoding_ = nullptr;
};

}  // namespace vimg::ext4
