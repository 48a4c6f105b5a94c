// ExtentMap: an inode's extents in memory, to be changed range by range and written back at once.
#pragma once

#include <cstdint>
#include <map>

#include "fsdrivers/ext4_block_walk.h"
#include "fsdrivers/ext4_inode_buffer.h"

namespace vimg {

class ExtentMap {
 public:
  void add(const MappedRun& run);  // over what is there
  void remove(std::uint64_t logical, std::uint64_t length);

  // Gives inode `number`, whose buffer is `inode`, a new extent tree of these extents.  The blocks
  // of the old tree are not freed, i_blocks stays.  Throws what Ext2Handle::check throws.
  void store(const Ext2Handle& filsys, ext2_ino_t number, InodeBuffer& inode) const;
  // Makes `inode` one without extents.
  static void clear(InodeBuffer& inode) noexcept;

 private:
  struct Extent {
    std::uint64_t disk;
    std::uint64_t length;
    MappedAs kind;
  };
  using Extents = std::map<std::uint64_t, Extent>;  // by the first logical block; none overlap

  static void insert(const Ext2Handle& filsys, ext2_extent_handle* handle, std::uint64_t logical,
                     const Extent& extent);
  void split(std::uint64_t logical);
  Extents merged() const;

  Extents extents_;
};

}  // namespace vimg
