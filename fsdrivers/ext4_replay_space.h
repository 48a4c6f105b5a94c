// ReplaySpace: the block bitmap while fast commits are replayed.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "fsdrivers/ext4_block_walk.h"
#include "fsdrivers/ext4_io.h"

namespace vimg {

// Blocks that the fast commits give to files must not be taken for anything else in between, and
// blocks that they free may be given to another file by a later one.  So all are held in use until
// the end; then what was freed is freed, and what the changed files use is in use.
class ReplaySpace {
 public:
  explicit ReplaySpace(const Ext2Handle& filsys) : filsys_(filsys) {}

  // Holds blocks that will be given to a file.  Only before anything else is called.
  void reserve(std::uint64_t start, std::uint64_t length);
  // Blocks that a file used before it was changed.
  void note_freed(std::uint64_t start, std::uint64_t length);
  // Blocks that a changed file uses now.  Only after release().
  void mark_used(std::uint64_t start, std::uint64_t length);
  void release();
  // Counts the free blocks of every group that was touched.
  void recount();

 private:
  struct Run {
    std::uint64_t start;
    std::uint64_t length;
  };

  void touch(std::uint64_t start, std::uint64_t length);
  std::vector<Run> free_runs(std::uint64_t start, std::uint64_t length) const;

  const Ext2Handle& filsys_;
  std::vector<Run> held_;
  std::set<dgrp_t> touched_;
};

}  // namespace vimg
