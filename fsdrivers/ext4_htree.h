// IndexWalk: the leaves of an indexed ext4 directory in the order of their hashes.
#pragma once

#include <cstdint>
#include <vector>

#include "fsdrivers/ext4_directory.h"

namespace vimg::ext4 {

// Where a walk stands: on one leaf at a time.  A block that cannot be read or has a wrong checksum
// throws; an index that makes no sense is `broken`, and the names are to be read without it then.
class IndexWalk {
 public:
  enum class Step { leaf, end, broken };

  // `directory` has an index, and outlives this.
  explicit IndexWalk(const DirectoryReader& directory);

  // Goes to the first leaf that may have names with the hash `major`: `leaf` or `broken`.
  Step seek(std::uint32_t major);
  Step advance();

  // The version that the names of this directory are hashed with; unless the root is broken.
  std::uint8_t hash_version() const noexcept { return hash_version_; }
  bool is_broken() const noexcept { return levels_.empty(); }

  // The leaf's block in the directory.
  std::uint64_t leaf() const;
  // True when names with the hash `major` belong into the leaf.
  bool holds(std::uint32_t major) const noexcept;
  // The lowest hash of these.
  std::uint32_t first_hash() const noexcept;
  // The next leaf begins with hashes that equal the last of this one.
  bool next_continues() const noexcept;
  // That last hash.
  std::uint32_t continued_hash() const noexcept;

 private:
  // A block of the index on the way to the leaf.
  struct Level {
    std::vector<IndexEntry> entries;  // the hash of the first is that of the parent's entry
    std::size_t at;                   // the entry that was followed
    std::uint64_t end;                // all hashes are below
  };

  bool read_root();
  bool push_level(ConstBytes block, std::size_t start, std::uint64_t first, std::uint64_t end);
  bool are_valid(const Level& level) const noexcept;
  bool push_child();
  Step descend();
  Step broken() noexcept;
  std::uint64_t end_of_entry() const noexcept;

  const DirectoryReader& directory_;
  std::uint8_t hash_version_ = 0;
  std::size_t depth_ = 0;  // levels that lead to a leaf, the root included
  std::vector<Level> levels_;
};

}  // namespace vimg::ext4
