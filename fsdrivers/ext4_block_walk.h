// Walking an inode's map of blocks, extents or pointers, that may be damaged.
#pragma once

#include <cstdint>
#include <functional>

#include "disk/bytes.h"
#include "disk/disk.h"

namespace vimg {

// A file system's blocks.
struct BlockSpace {
  const Disk& disk;
  std::uint32_t block_size;
  std::uint64_t begin;  // the first block that can hold data …
  std::uint64_t end;    // … and the one after the last
};

enum class MappedAs {
  data,
  unwritten,  // reads as zeros
  map,        // holds a part of the map itself
};

// Blocks that lie one after the other; of a `map` block, length is 1 and logical has no meaning.
struct MappedRun {
  std::uint64_t logical;
  std::uint64_t disk;
  std::uint64_t length;
  MappedAs kind;
};

enum class BlockMapKind { extents, pointers };
enum class WalkEnd { complete, stopped, damaged };

// Calls `visit` for every run of the inode with `i_block` (60 bytes) in ascending logical order,
// until it returns false.  All that is visited lies in `space`.  Ends at the first thing that is
// broken.  Throws only what the disk throws.
WalkEnd walk_block_map(const BlockSpace& space, BlockMapKind kind, ConstBytes i_block,
                       const std::function<bool(const MappedRun&)>& visit);

// True when `i_block` begins as the root of an extent tree does.
bool looks_like_extents(ConstBytes i_block) noexcept;

}  // namespace vimg
