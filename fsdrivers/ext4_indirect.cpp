#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_map.h"

namespace vimg::ext4 {
namespace {

// Spec: "Direct/Indirect Block Addressing".  The inode has 12 pointers to blocks, then one each to
// an indirect, a double and a triple indirect block.
constexpr std::uint64_t direct_count = 12;
constexpr std::uint32_t max_level = 3;

// The blocks of a leaf that are one after the other become one run.
MapWindow read_pointers(const Volume& volume, const Inode& inode, ConstBytes pointers,
                        std::uint64_t first) {
  MapWindow window{first, first + pointers.size() / sizeof(le32), {}};
  for (std::uint64_t logical = first; logical < window.end; ++logical) {
    const std::uint64_t physical = load<le32>(pointers, (logical - first) * sizeof(le32));
    if (physical == 0) {
      continue;
    }
    if (!volume.contains(physical, 1)) {
      volume.throw_outside(physical, 1, fmt::format("inode {}: data", inode.number()));
    }
    if (!window.runs.empty()) {
      Run& last = window.runs.back();
      if (last.logical + last.count == logical && last.physical + last.count == physical) {
        ++last.count;
        continue;
      }
    }
    window.runs.push_back({logical, physical, 1, Run::Kind::written});
  }
  return window;
}

// The subtree that `logical` lies in.
struct Subtree {
  std::uint32_t level;  // 1 = an indirect block
  std::uint64_t first;
  std::uint64_t span;  // blocks it is about
};

Subtree subtree_of(const Volume& volume, const Inode& inode, std::uint64_t logical) {
  const std::uint64_t per_block = volume.block_size() / sizeof(le32);
  Subtree subtree{1, direct_count, per_block};
  // With blocks of 64 KiB a triple indirect block spans 2^42 blocks, so nothing overflows.
  while (logical - subtree.first >= subtree.span) {
    if (subtree.level == max_level) {
      throw_corrupt(layer,
                    fmt::format("inode {}: block {:#x} lies beyond the triple indirect block",
                                inode.number(), logical));
    }
    subtree.first += subtree.span;
    subtree.span *= per_block;
    ++subtree.level;
  }
  return subtree;
}

}  // namespace

MapWindow read_indirect_window(const Volume& volume, const Inode& inode, std::uint64_t logical) {
  const ConstBytes map = inode.raw().block_map;
  if (logical < direct_count) {
    return read_pointers(volume, inode, map.first(direct_count * sizeof(le32)), 0);
  }
  Subtree subtree = subtree_of(volume, inode, logical);
  std::uint64_t pointer = load<le32>(map, (direct_count + subtree.level - 1) * sizeof(le32));
  const std::uint64_t per_block = volume.block_size() / sizeof(le32);
  // The level falls by one with every step.
  while (pointer != 0) {
    const BlockCache::Block block = volume.metadata(pointer, "indirect block");
    if (subtree.level == 1) {
      return read_pointers(volume, inode, *block, subtree.first);
    }
    subtree.span /= per_block;
    const std::uint64_t index = (logical - subtree.first) / subtree.span;
    pointer = load<le32>(*block, index * sizeof(le32));
    subtree.first += index * subtree.span;
    --subtree.level;
  }
  const std::uint64_t end = std::min(subtree.first + subtree.span, end_of_blocks);
  return {subtree.first, end, {}};
}

}  // namespace vimg::ext4
