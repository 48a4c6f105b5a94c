// The block pointers of a file without extents: direct, and behind one to three indirect blocks.
#pragma once

#include <cstdint>

#include "fsdrivers/ext4_write_extents.h"

namespace vimg::ext4 {

// The run that starts at `logical`, cut at `end`, at the end of a pointer block, or earlier.
MappedRun find_pointers(Change& change, const InodeRecord& inode, std::uint64_t logical,
                        std::uint64_t end);

// Points to `run`, which lies in a hole and is written.  Takes indirect blocks and counts them.
// Throws Error(ENOSPC), or Error(EFBIG) beyond what the pointers reach.
void insert_pointers(Change& change, InodeRecord& inode, const MappedRun& run);

// Clears the pointers of [from, to) and frees the indirect blocks that only led to them.  The
// blocks pointed to stay in use.
void clear_pointers(Change& change, InodeRecord& inode, std::uint64_t from, std::uint64_t to);

}  // namespace vimg::ext4
