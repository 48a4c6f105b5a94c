// The extent tree of a file: looked up and changed in place.
#pragma once

#include <cstdint>

#include "fsdrivers/ext4_write_inode.h"

namespace vimg::ext4 {

enum class RunState { hole, written, unwritten };

// Blocks of a file that lie side by side, or that are not there.
struct MappedRun {
  std::uint64_t logical;
  std::uint64_t physical;  // 0 for a hole
  std::uint64_t length;    // blocks
  RunState state;

  std::uint64_t end() const noexcept { return logical + length; }
};

// An empty tree in `inode`, which has no blocks yet.
void make_extent_tree(InodeRecord& inode) noexcept;

// The run that starts at `logical`, cut at `end`.
MappedRun find_extent(Change& change, const InodeRecord& inode, std::uint64_t logical,
                      std::uint64_t end);

// Adds `run`, which lies in a hole; joins it to what it continues.  Takes blocks for the tree and
// counts them.  Throws Error(ENOSPC).
void insert_extent(Change& change, InodeRecord& inode, const MappedRun& run);

// Takes the `run` that find_extent() gave out of the tree; its blocks stay in use.
void cut_extent(Change& change, InodeRecord& inode, const MappedRun& run);

}  // namespace vimg::ext4
