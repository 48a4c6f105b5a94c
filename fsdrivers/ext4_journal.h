// Finding the journal of an ext3 or ext4 file system that may be damaged.
#pragma once

#include <cstdint>
#include <optional>

#include "disk/bytes.h"
#include "disk/disk.h"
#include "fsdrivers/ext4_block_walk.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/jbd2_log.h"

namespace vimg {

// Where the first `count` blocks of the file lie whose inode has `i_block` (60 bytes: an extent
// tree's root or block pointers).  Nothing when the map is broken, has a hole, or leaves `space`.
std::optional<JournalBlocks> map_journal(const BlockSpace& space, ConstBytes i_block,
                                         std::uint64_t count);

// The blocks of the file system, as far as the disk goes.
BlockSpace block_space(const Disk& disk, const ext4::Geometry& geometry) noexcept;

// The journal in the inode that the superblock names, or, when that is damaged, in the
// superblock's backup of it.  Throws Error(EUCLEAN) when neither is a journal, Error(EOPNOTSUPP)
// for a journal on another device.
JournalLog open_ext4_journal(DiskPtr disk, const ext4::Superblock& superblock,
                             const ext4::Geometry& geometry);

}  // namespace vimg
