// Allocation of blocks: near a goal, in runs, a whole number of clusters each.
#pragma once

#include <cstdint>

#include "fsdrivers/ext4_write_change.h"

namespace vimg::ext4 {

struct BlockRun {
  std::uint64_t first;  // block, a cluster's first
  std::uint64_t count;  // blocks, whole clusters
};

enum class GoalKind {
  exact,   // the block after what the file has already
  nearby,  // somewhere in the group of the goal
};

// Takes between 1 and `clusters` clusters that lie side by side, at `goal` if that is free and
// exact.  Throws Error(ENOSPC).
BlockRun allocate_blocks(Change& change, std::uint64_t goal, GoalKind kind, std::uint64_t clusters);

// Gives back `count` blocks, whole clusters (a cluster's first block says all of it).
// Throws Error(EUCLEAN) when they are not in use or belong to the file system itself.
void free_blocks(Change& change, std::uint64_t first, std::uint64_t count);

// Throws Error(EUCLEAN) when [first, first + count) leaves the file system.
void check_blocks(const Layout& layout, std::uint64_t first, std::uint64_t count);

}  // namespace vimg::ext4
