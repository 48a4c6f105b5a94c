// ExtentTree: the nodes of a file's extent tree, walked and changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fsdrivers/ext4_write_extents.h"

namespace vimg::ext4 {

constexpr std::size_t extent_header_size = sizeof(ExtentHeader);
constexpr std::size_t extent_entry_size = sizeof(ExtentEntry);
constexpr std::uint64_t in_inode = 0;  // stands for the root, which is in no block

// A node on the way from the root, and the entry taken in it.  In a leaf `index` counts the entries
// that begin at or before the block looked for.
struct ExtentStep {
  std::uint64_t block;
  std::size_t index;
};
using ExtentPath = std::vector<ExtentStep>;

// An entry of a node; `index` is below the node's capacity.
std::size_t entry_offset(std::size_t index) noexcept;
ExtentEntry entry_at(ConstBytes node, std::size_t index) noexcept;
std::uint32_t key_at(ConstBytes node, std::size_t index) noexcept;
std::uint64_t child_at(ConstBytes node, std::size_t index) noexcept;
MappedRun run_of(const ExtentEntry& entry) noexcept;
ExtentEntry entry_of(const MappedRun& run) noexcept;
// The most blocks that one extent holds.
std::uint64_t longest_extent(RunState state) noexcept;

// The tree of one inode within one change.
class ExtentTree {
 public:
  ExtentTree(Change& change, InodeRecord& inode) : change_(change), inode_(inode) {}

  // For lookups: nothing is changed through it.
  ConstBytes node(std::uint64_t block) {
    return block == in_inode ? ConstBytes(inode_.raw.block_map) : change_.read(block, seal());
  }
  ExtentHeader header(std::uint64_t block) { return load<ExtentHeader>(node(block)); }

  ExtentPath find(std::uint64_t logical);
  // Where the first entry after the path's place begins; 2^32 when there is none.
  std::uint64_t next_key(const ExtentPath& path);
  void insert(const MappedRun& run);
  void cut(const MappedRun& run);

 private:
  Bytes edit(std::uint64_t block) {
    return block == in_inode ? Bytes(inode_.raw.block_map) : change_.edit(block, seal());
  }
  Seal seal() const { return inode_.seal(change_.layout(), Seal::Kind::extent_node); }
  std::size_t capacity(std::uint64_t block) const;
  void validate(ConstBytes bytes, std::uint64_t block, std::size_t depth) const;
  void set_entry(const ExtentPath& path, std::size_t level, std::size_t index,
                 const ExtentEntry& entry);
  void correct_keys(const ExtentPath& path, std::size_t level);
  void insert_entry(std::uint64_t block, std::size_t index, ConstBytes entry);
  bool try_join(const ExtentPath& path, const MappedRun& run);
  void make_room(const ExtentPath& path);
  void grow_root();
  void split(const ExtentPath& path, std::size_t level);
  void remove_entry(const ExtentPath& path, std::size_t level, std::size_t index);
  void shrink_root();
  [[noreturn]] void throw_moved(const MappedRun& run) const;
  std::uint64_t take_block();
  void give_back_block(std::uint64_t block);

  Change& change_;
  InodeRecord& inode_;
};

}  // namespace vimg::ext4
