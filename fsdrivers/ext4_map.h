// Where the blocks of an inode lie: extent trees and indirect blocks as runs.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "fsdrivers/ext4_inode.h"
#include "fsdrivers/ext4_volume.h"

namespace vimg::ext4 {

constexpr std::uint64_t end_of_blocks = std::uint64_t{1} << 32;  // logical blocks are below

// `count` logical blocks from `logical` on.
struct Run {
  enum class Kind {
    written,
    unwritten,  // set aside, reads as zeros
    hole,
  };
  std::uint64_t logical;
  std::uint64_t physical;  // 0 for holes
  std::uint64_t count;     // at least 1
  Kind kind;
};

// What one leaf of an inode's tree says: all that there is about logical blocks from `first` to
// `end`.  Immutable, so it can be used without a lock.
struct MapWindow {
  std::uint64_t first;
  std::uint64_t end;
  std::vector<Run> runs;  // ascending, inside of the window, without the holes

  // The run that `logical`, a block of this window, lies in, from `logical` on.
  Run at(std::uint64_t logical) const;
};
using MapWindowPtr = std::shared_ptr<const MapWindow>;

// The window that `logical` (below end_of_blocks) lies in, read from the inode's extent tree or
// indirect blocks.  Throws Error(EUCLEAN) for a tree that is broken on the way there.
MapWindow read_window(const Volume& volume, const Inode& inode, std::uint64_t logical);
// The same for the two kinds of tree.
MapWindow read_extent_window(const Volume& volume, const Inode& inode, std::uint64_t logical);
MapWindow read_indirect_window(const Volume& volume, const Inode& inode, std::uint64_t logical);

// Windows that were read already, the least recently used forgotten first.  May be called from any
// thread.
class MapCache {
 public:
  MapWindowPtr find(std::uint32_t inode, std::uint64_t logical);
  void insert(std::uint32_t inode, const MapWindowPtr& window);
  // To be called after the inode's blocks have changed.
  void invalidate(std::uint32_t inode);

 private:
  using Key = std::pair<std::uint32_t, std::uint64_t>;  // the inode, the window's first block
  struct Entry {
    MapWindowPtr window;
    std::list<Key>::iterator use;
  };
  void erase(std::map<Key, Entry>::iterator entry);

  std::mutex mutex_;  // guards the three members below; never held across I/O
  std::map<Key, Entry> entries_;
  std::list<Key> uses_;  // the most recent first
  std::size_t cost_ = 0;
};

}  // namespace vimg::ext4
