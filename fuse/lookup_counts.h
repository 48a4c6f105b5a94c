// LookupCounts: how often the kernel was given each inode, so that the last forget is noticed.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "fsdrivers/filesystem.h"

namespace vimg {

// All members may be called from any thread.
class LookupCounts {
 public:
  void add(InodeNumber inode);
  // Takes `count` back.  True when nothing is left: the kernel no longer knows `inode`.
  bool subtract(InodeNumber inode, std::uint64_t count);
  // Every inode that the kernel still knows; they are forgotten.
  std::vector<InodeNumber> drain();

 private:
  // Shards, so that threads that serve different files do not wait for each other.
  struct Shard {
    std::mutex mutex;  // guards counts
    std::unordered_map<InodeNumber, std::uint64_t> counts;
  };
  Shard& shard(InodeNumber inode) noexcept { return shards_[inode % shards_.size()]; }

  std::array<Shard, 16> shards_;
};

}  // namespace vimg
