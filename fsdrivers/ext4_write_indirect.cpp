#include "fsdrivers/ext4_write_indirect.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_blocks.h"

namespace vimg::ext4 {
namespace {

constexpr std::uint64_t direct_count = 12;
constexpr std::size_t most_levels = 3;

// The way to a pointer: the slot in the inode, then one index for each indirect block.
struct Route {
  std::size_t slot = 0;
  std::size_t levels = 0;
  std::array<std::uint64_t, most_levels> index{};
};

std::uint64_t pointers_per_block(const Layout& layout) noexcept { return layout.block_size() / 4; }

// Blocks that one entry of an indirect block `levels` above the data leads to.
std::uint64_t span_of(const Layout& layout, std::size_t levels) noexcept {
  std::uint64_t span = 1;
  for (std::size_t level = 0; level < levels; ++level) {
    span *= pointers_per_block(layout);
  }
  return span;
}

Route route_to(const Layout& layout, std::uint64_t logical) {
  if (logical < direct_count) {
    return {std::size_t(logical), 0, {}};
  }
  std::uint64_t rest = logical - direct_count;
  for (std::size_t levels = 1; levels <= most_levels; ++levels) {
    const std::uint64_t reach = span_of(layout, levels);
    if (rest >= reach) {
      rest -= reach;
      continue;
    }
    Route route{direct_count + levels - 1, levels, {}};
    for (std::size_t step = 0; step < levels; ++step) {
      const std::uint64_t span = span_of(layout, levels - 1 - step);
      route.index[step] = rest / span;
      rest %= span;
    }
    return route;
  }
  throw_error(EFBIG, layer, fmt::format("block {:#x} is beyond the reach of a file", logical));
}

// Blocks from the route's end to the end of what the indirect block at `level` of it leads to.
std::uint64_t missing_from(const Layout& layout, const Route& route, std::size_t level) noexcept {
  std::uint64_t inside = 0;
  for (std::size_t step = level; step < route.levels; ++step) {
    inside += route.index[step] * span_of(layout, route.levels - 1 - step);
  }
  return span_of(layout, route.levels - level) - inside;
}

std::uint32_t pointer_at(ConstBytes pointers, std::uint64_t index) noexcept {
  return load<le32>(pointers, std::size_t(index) * 4);
}

void set_pointer(Bytes pointers, std::uint64_t index, std::uint64_t block) noexcept {
  store(pointers, std::size_t(index) * 4, le32(std::uint32_t(block)));
}

std::uint32_t take_indirect_block(Change& change, InodeRecord& inode) {
  const Layout& layout = change.layout();
  const std::uint64_t goal = layout.first_block(layout.group_of_inode(inode.number));
  const BlockRun run = allocate_blocks(change, goal, GoalKind::nearby, 1);
  if (run.first > std::numeric_limits<std::uint32_t>::max()) {
    throw_error(EFBIG, layer, "no free block that a file without extents can point to");
  }
  add_blocks(layout, inode, run.count);
  change.create(run.first);
  return std::uint32_t(run.first);
}

void give_back_indirect_block(Change& change, InodeRecord& inode, std::uint64_t block) {
  const Layout& layout = change.layout();
  change.forget(block);
  free_blocks(change, block, layout.blocks_per_cluster());
  subtract_blocks(layout, inode, layout.blocks_per_cluster());
}

// The pointers of the last indirect block on the route, or of the inode; creates what is missing.
Bytes pointers_for(Change& change, InodeRecord& inode, const Route& route) {
  Bytes pointers(inode.raw.block_map);
  std::uint64_t index = route.slot;
  for (std::size_t level = 0; level < route.levels; ++level) {
    std::uint32_t block = pointer_at(pointers, index);
    if (block == 0) {
      block = take_indirect_block(change, inode);
      set_pointer(pointers, index, block);
    }
    check_blocks(change.layout(), block, 1);
    pointers = change.edit(block);
    index = route.index[level];
  }
  return pointers;
}

// Clears [from, to), counted from the first block that `block` leads to through `levels` levels of
// indirect blocks.  Returns true when nothing is left in it and it has been freed.
bool clear_below(Change& change, InodeRecord& inode, std::uint32_t block, std::size_t levels,
                 std::uint64_t from, std::uint64_t to) {
  check_blocks(change.layout(), block, 1);
  const std::uint64_t span = span_of(change.layout(), levels - 1);
  const std::uint64_t count = pointers_per_block(change.layout());
  const Bytes pointers = change.edit(block);
  for (std::uint64_t index = from / span; index < count && index * span < to; ++index) {
    const std::uint32_t pointer = pointer_at(pointers, index);
    if (pointer == 0) {
      continue;
    }
    const std::uint64_t start = index * span;
    if (levels == 1 || clear_below(change, inode, pointer, levels - 1,
                                   std::max(from, start) - start, std::min(to - start, span))) {
      set_pointer(pointers, index, 0);
    }
  }
  if (!all_zero(pointers)) {
    return false;
  }
  give_back_indirect_block(change, inode, block);
  return true;
}

}  // namespace

MappedRun find_pointers(Change& change, const InodeRecord& inode, std::uint64_t logical,
                        std::uint64_t end) {
  const Layout& layout = change.layout();
  const Route route = route_to(layout, logical);
  ConstBytes pointers(inode.raw.block_map);
  std::uint64_t index = route.slot;
  std::uint64_t count = route.levels == 0 ? direct_count : direct_count + most_levels;
  for (std::size_t level = 0; level < route.levels; ++level) {
    const std::uint32_t block = pointer_at(pointers, index);
    if (block == 0) {
      const std::uint64_t rest = missing_from(layout, route, level);
      return {logical, 0, std::min(rest, end - logical), RunState::hole};
    }
    check_blocks(layout, block, 1);
    pointers = change.read(block);
    index = route.index[level];
    count = pointers_per_block(layout);
  }
  const std::uint32_t first = pointer_at(pointers, index);
  const std::uint64_t limit = std::min(end - logical, count - index);
  std::uint64_t length = 1;
  while (length < limit &&
         pointer_at(pointers, index + length) == (first == 0 ? 0 : first + length)) {
    ++length;
  }
  if (first == 0) {
    return {logical, 0, length, RunState::hole};
  }
  check_blocks(layout, first, length);
  return {logical, first, length, RunState::written};
}

void insert_pointers(Change& change, InodeRecord& inode, const MappedRun& run) {
  const Layout& layout = change.layout();
  if (run.physical + run.length > std::uint64_t(std::numeric_limits<std::uint32_t>::max()) + 1) {
    throw_error(EFBIG, layer, "no free block that a file without extents can point to");
  }
  for (std::uint64_t done = 0; done < run.length;) {
    const Route route = route_to(layout, run.logical + done);
    const Bytes pointers = pointers_for(change, inode, route);
    const std::uint64_t first = route.levels == 0 ? route.slot : route.index[route.levels - 1];
    const std::uint64_t count = route.levels == 0 ? direct_count : pointers_per_block(layout);
    for (std::uint64_t index = first; index < count && done < run.length; ++index, ++done) {
      set_pointer(pointers, index, run.physical + done);
    }
  }
}

void clear_pointers(Change& change, InodeRecord& inode, std::uint64_t from, std::uint64_t to) {
  const Layout& layout = change.layout();
  const Bytes slots(inode.raw.block_map);
  for (std::uint64_t slot = from; slot < std::min(to, direct_count); ++slot) {
    set_pointer(slots, slot, 0);
  }
  std::uint64_t base = direct_count;
  for (std::size_t levels = 1; levels <= most_levels; ++levels) {
    const std::uint64_t reach = span_of(layout, levels);
    const std::size_t slot = direct_count + levels - 1;
    const std::uint32_t block = pointer_at(slots, slot);
    if (block != 0 && from < base + reach && to > base) {
      if (clear_below(change, inode, block, levels, std::max(from, base) - base,
                      std::min(to - base, reach))) {
        set_pointer(slots, slot, 0);
      }
    }
    base += reach;
  }
}

}  // namespace vimg::ext4
