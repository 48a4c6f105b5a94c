// The blocks of a file, whichever way its inode points to them.
#pragma once

#include <cstdint>

#include "fsdrivers/ext4_write_extents.h"

namespace vimg::ext4 {

constexpr std::uint64_t every_block = std::uint64_t(1) << 32;

// True when i_block leads to blocks: not for devices, inline data and short symbolic links.
bool has_block_map(const InodeRecord& inode) noexcept;
// The first block beyond what the inode's map can reach.
std::uint64_t map_end(const Layout& layout, const InodeRecord& inode) noexcept;

// The run that starts at `logical`, cut at `end`; holes may be reported in parts.
MappedRun find_run(Change& change, const InodeRecord& inode, std::uint64_t logical,
                   std::uint64_t end);

// Maps blocks for the hole from `logical`, at most up to `end`, as one run near what is before it,
// and counts them in the inode.  With bigalloc a cluster that the file has already is used.
// `state` unwritten is for files with extents.  Throws Error(ENOSPC).
MappedRun allocate_run(Change& change, InodeRecord& inode, std::uint64_t logical, std::uint64_t end,
                       RunState state);

// Frees the blocks of [from, to), which may pass map_end(), and returns how far it came: `to`, or
// less when the change has become large; commit it then and go on in a new one.
std::uint64_t free_range(Change& change, InodeRecord& inode, std::uint64_t from, std::uint64_t to);

// Gives the mapped blocks of [from, to) another state; only for files with extents.
void set_state(Change& change, InodeRecord& inode, std::uint64_t from, std::uint64_t to,
               RunState state);

// Moves all blocks from `first` on by `distance` blocks; where they go is a hole.  Only for files
// with extents.
void shift_blocks(Change& change, InodeRecord& inode, std::uint64_t first, std::int64_t distance);

}  // namespace vimg::ext4
