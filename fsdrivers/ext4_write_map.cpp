#include "fsdrivers/ext4_write_map.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_blocks.h"
#include "fsdrivers/ext4_write_indirect.h"

namespace vimg::ext4 {
namespace {

// Blocks that one change may hold before a long freeing goes on in the next one: 8 MiB of 4 KiB.
constexpr std::size_t large_change = 2048;
// Pointers of files without extents that are cleared at once.
constexpr std::uint64_t pointer_chunk = 1 << 16;
constexpr std::size_t most_shifted = 1 << 22;  // runs in memory at once

void insert_run(Change& change, InodeRecord& inode, const MappedRun& run) {
  if (inode.has_flag(inode_extents)) {
    insert_extent(change, inode, run);
  } else {
    insert_pointers(change, inode, run);
  }
}

void cut_run(Change& change, InodeRecord& inode, const MappedRun& run) {
  if (inode.has_flag(inode_extents)) {
    cut_extent(change, inode, run);
  } else {
    clear_pointers(change, inode, run.logical, run.end());
  }
}

// Where any block in [from, to) lies, as the block that `from` would have; 0 when all are holes.
std::uint64_t find_any(Change& change, const InodeRecord& inode, std::uint64_t from,
                       std::uint64_t to) {
  for (std::uint64_t logical = from; logical < to;) {
    const MappedRun run = find_run(change, inode, logical, to);
    if (run.state != RunState::hole) {
      return run.physical - (logical - from);
    }
    logical = run.end();
  }
  return 0;
}

struct Goal {
  std::uint64_t block;
  GoalKind kind;
};

Goal goal_for(Change& change, const InodeRecord& inode, std::uint64_t logical) {
  const Layout& layout = change.layout();
  if (logical > 0) {
    const MappedRun before = find_run(change, inode, logical - 1, logical);
    if (before.state != RunState::hole) {
      return {round_up(before.physical + 1, layout.blocks_per_cluster()), GoalKind::exact};
    }
  }
  return {layout.first_block(layout.group_of_inode(inode.number)), GoalKind::nearby};
}

// Frees the clusters of a run that has been cut out, but for those that the file still uses.
void free_run(Change& change, InodeRecord& inode, const MappedRun& run) {
  const Layout& layout = change.layout();
  const std::uint64_t cluster = layout.blocks_per_cluster();
  std::uint64_t from = round_down(run.logical, cluster);
  std::uint64_t to = round_up(run.end(), cluster);
  const std::uint64_t before = run.logical - from;
  if (run.physical < before || run.physical % cluster != run.logical % cluster) {
    throw_corrupt(layer, fmt::format("inode {}: block {:#x} is not where its cluster is",
                                     inode.number, run.logical));
  }
  std::uint64_t physical = run.physical - before;
  if (cluster > 1 && find_any(change, inode, from, from + cluster) != 0) {
    from += cluster;
    physical += cluster;
  }
  if (cluster > 1 && from < to && find_any(change, inode, to - cluster, to) != 0) {
    to -= cluster;
  }
  // What directories and symbolic links hold is metadata; their changes are small.
  for (std::uint64_t block = 0; !inode.is_regular() && block < run.length; ++block) {
    change.forget(run.physical + block);
  }
  if (from < to) {
    free_blocks(change, physical, to - from);
    subtract_blocks(layout, inode, to - from);
  }
}

}  // namespace

bool has_block_map(const InodeRecord& inode) noexcept {
  if (inode.has_flag(inode_inline_data)) {
    return false;
  }
  return inode.is_regular() || inode.is_directory() ||
         (inode.type() == S_IFLNK && size_of(inode) >= block_map_size);
}

std::uint64_t map_end(const Layout& layout, const InodeRecord& inode) noexcept {
  if (inode.has_flag(inode_extents)) {
    return every_block;
  }
  const std::uint64_t pointers = layout.block_size() / 4;
  return std::min(every_block,
                  12 + pointers + pointers * pointers + pointers * pointers * pointers);
}

MappedRun find_run(Change& change, const InodeRecord& inode, std::uint64_t logical,
                   std::uint64_t end) {
  return inode.has_flag(inode_extents) ? find_extent(change, inode, logical, end)
                                       : find_pointers(change, inode, logical, end);
}

MappedRun allocate_run(Change& change, InodeRecord& inode, std::uint64_t logical, std::uint64_t end,
                       RunState state) {
  const Layout& layout = change.layout();
  const std::uint64_t cluster = layout.blocks_per_cluster();
  const std::uint64_t start = round_down(logical, cluster);
  MappedRun run{logical, 0, 0, state};
  const std::uint64_t shared = cluster == 1 ? 0 : find_any(change, inode, start, start + cluster);
  if (shared != 0) {
    run.physical = shared + (logical - start);
    run.length = std::min(end, start + cluster) - logical;
  } else {
    // A cluster that the file has already for what follows the hole is not taken again.
    if (end % cluster != 0 && find_any(change, inode, end, round_up(end, cluster)) != 0) {
      end = std::max(round_down(end, cluster), logical);
    }
    const Goal goal = goal_for(change, inode, logical);
    const BlockRun taken =
        allocate_blocks(change, goal.block, goal.kind, divide_up(end - start, cluster));
    run.physical = taken.first + (logical - start);
    run.length = std::min(end, start + taken.count) - logical;
    add_blocks(layout, inode, taken.count);
  }
  insert_run(change, inode, run);
  return run;
}

std::uint64_t free_range(Change& change, InodeRecord& inode, std::uint64_t from, std::uint64_t to) {
  const bool has_extents = inode.has_flag(inode_extents);
  const std::uint64_t asked = to;
  to = std::min(to, map_end(change.layout(), inode));
  while (from < to && change.block_count() < large_change) {
    const std::uint64_t limit = has_extents ? to : std::min(to, from + pointer_chunk);
    const MappedRun run = find_run(change, inode, from, limit);
    if (run.state != RunState::hole) {
      cut_run(change, inode, run);
      free_run(change, inode, run);
    }
    from = run.end();
  }
  return from >= to ? std::max(from, asked) : from;
}

void set_state(Change& change, InodeRecord& inode, std::uint64_t from, std::uint64_t to,
               RunState state) {
  while (from < to) {
    MappedRun run = find_extent(change, inode, from, to);
    from = run.end();
    if (run.state != RunState::hole && run.state != state) {
      cut_extent(change, inode, run);
      run.state = state;
      insert_extent(change, inode, run);
    }
  }
}

void shift_blocks(Change& change, InodeRecord& inode, std::uint64_t first, std::int64_t distance) {
  std::vector<MappedRun> runs;
  for (std::uint64_t logical = first; logical < every_block;) {
    const MappedRun run = find_extent(change, inode, logical, every_block);
    logical = run.end();
    if (run.state != RunState::hole) {
      runs.push_back(run);
    }
    if (runs.size() > most_shifted) {
      throw_unsupported(layer, fmt::format("inode {} has too many extents to shift", inode.number));
    }
  }
  if (!runs.empty() && std::int64_t(runs.back().end()) + distance > std::int64_t(every_block)) {
    throw_error(EFBIG, layer, fmt::format("inode {} has blocks too far out", inode.number));
  }
  for (const MappedRun& run : runs) {
    cut_extent(change, inode, run);
  }
  for (MappedRun& run : runs) {
    run.logical = std::uint64_t(std::int64_t(run.logical) + distance);
    insert_extent(change, inode, run);
  }
}

}  // namespace vimg::ext4
