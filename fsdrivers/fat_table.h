// FatTable: the file allocation table, and the chains of clusters in it.
#pragma once

#include <cstdint>
#include <vector>

#include "disk/disk.h"
#include "fsdrivers/fat_geometry.h"

namespace vimg::fat {

struct Run {
  std::uint64_t offset;  // on the disk, in bytes
  std::uint64_t length;
};

// What an entry of the FAT says of its cluster.
constexpr std::uint32_t entry_free = 0;
constexpr std::uint32_t entry_bad = 0xfffffff7;
constexpr std::uint32_t entry_end = 0xffffffff;

// Reading may be done by any thread; whoever writes is alone.
class FatTable {
 public:
  // `tables` is the volume through a cache.
  FatTable(DiskPtr tables, const Geometry& geometry);

  // The number of the next cluster, or one of the above; any other number, as it is, is broken.
  std::uint32_t entry(std::uint32_t cluster) const;

  // At most `limit` clusters of the chain from `first`, as runs.  It may end early.
  // Throws Error(EUCLEAN) where it leads to what is no cluster, or back to its start.
  std::vector<Run> chain(std::uint32_t first, std::uint64_t limit) const;

  // Sets the entry of each of `count` clusters from `first`: to the next one's number, and `last`
  // for the last of them.
  void link(std::uint32_t first, std::uint32_t count, std::uint32_t last);
  void release(std::uint32_t first, std::uint32_t count);

  // The first run of at most `wanted` free clusters at or after `from`; its length is 0 for none.
  struct Clusters {
    std::uint32_t first;
    std::uint32_t count;
  };
  Clusters find_free(std::uint32_t from, std::uint32_t wanted) const;
  std::uint32_t count_free() const;

  // Bit 15 or 27 of the second entry, which FAT12 has not.
  bool says_clean() const;
  void say(bool clean);

 private:
  class Window;
  std::uint64_t byte_of(std::uint32_t cluster) const noexcept;
  std::uint32_t width() const noexcept;
  std::uint32_t decoded(ConstBytes bytes, std::uint32_t cluster) const noexcept;
  void encode(Bytes bytes, std::uint32_t cluster, std::uint32_t value) const noexcept;
  void write_range(std::uint32_t first, std::uint32_t count, std::uint32_t step,
                   std::uint32_t last);

  DiskPtr tables_;
  Geometry geometry_;
};

}  // namespace vimg::fat
