#include "fsdrivers/ext4_replay_space.h"

namespace vimg {

// The free blocks among those given, as runs.
std::vector<ReplaySpace::Run> ReplaySpace::free_runs(std::uint64_t start,
                                                     std::uint64_t length) const {
  std::vector<Run> runs;
  const blk64_t last = start + length - 1;
  blk64_t at = start;
  blk64_t found = 0;
  while (at <= last &&
         ext2fs_find_first_zero_block_bitmap2(filsys_->block_map, at, last, &found) == 0) {
    blk64_t end = 0;
    if (ext2fs_find_first_set_block_bitmap2(filsys_->block_map, found, last, &end) != 0) {
      end = last + 1;
    }
    runs.push_back({found, end - found});
    at = end;
  }
  return runs;
}

void ReplaySpace::reserve(std::uint64_t start, std::uint64_t length) {
  for (const Run& run : free_runs(start, length)) {
    ext2fs_mark_block_bitmap_range2(filsys_->block_map, run.start, unsigned(run.length));
    held_.push_back(run);
  }
  touch(start, length);
}

void ReplaySpace::note_freed(std::uint64_t start, std::uint64_t length) {
  held_.push_back({start, length});
  touch(start, length);
}

void ReplaySpace::release() {
  for (const Run& run : held_) {
    ext2fs_unmark_block_bitmap_range2(filsys_->block_map, run.start, unsigned(run.length));
  }
  held_.clear();
}

void ReplaySpace::mark_used(std::uint64_t start, std::uint64_t length) {
  ext2fs_mark_block_bitmap_range2(filsys_->block_map, start, unsigned(length));
  touch(start, length);
}

void ReplaySpace::touch(std::uint64_t start, std::uint64_t length) {
  const dgrp_t last = ext2fs_group_of_blk2(filsys_.get(), start + length - 1);
  for (dgrp_t group = ext2fs_group_of_blk2(filsys_.get(), start); group <= last; ++group) {
    touched_.insert(group);
  }
}

void ReplaySpace::recount() {
  for (const dgrp_t group : touched_) {
    const blk64_t first = ext2fs_group_first_block2(filsys_.get(), group);
    const blk64_t last = ext2fs_group_last_block2(filsys_.get(), group);
    std::uint64_t free = 0;
    for (const Run& run : free_runs(first, last - first + 1)) {
      free += EXT2FS_NUM_B2C(filsys_.get(), run.length);
    }
    ext2fs_bg_free_blocks_count_set(filsys_.get(), group, std::uint32_t(free));
    ext2fs_bg_flags_clear(filsys_.get(), group, EXT2_BG_BLOCK_UNINIT);
    ext2fs_group_desc_csum_set(filsys_.get(), group);
  }
  ext2fs_mark_bb_dirty(filsys_.get());
}

}  // namespace vimg
