// Content: the bytes of ext4 inodes, inline data included.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fsdrivers/ext4_inode.h"
#include "fsdrivers/ext4_map.h"
#include "fsdrivers/ext4_volume.h"

namespace vimg::ext4 {

// Where the bytes of one read lie, so that they can be read without a look at the metadata.
struct ReadPlan {
  std::size_t length = 0;               // what there is of what was asked for
  std::uint64_t skipped = 0;            // bytes of the first run that come before
  std::vector<Run> runs;                // of as many blocks as are needed, in order
  std::vector<std::byte> inline_bytes;  // instead of runs
};

// May be called from any thread.
class Content {
 public:
  explicit Content(const Volume& volume) : volume_(volume) {}

  const Volume& volume() const noexcept { return volume_; }

  // The run that the logical block lies in, from there on; a hole beyond the last possible block.
  // Throws Error(EUCLEAN) when the map of the inode is broken there.
  Run run_at(const Inode& inode, std::uint64_t logical) const;
  // To be called after the inode's blocks have changed.
  void invalidate(std::uint32_t inode) const { maps_.invalidate(inode); }

  // Up to out.size() bytes; fewer only at the end of the inode.  Holes are zeros.
  std::size_t read(const Inode& inode, std::uint64_t offset, Bytes out) const;
  // The same in two steps; `out` of the second is what `length` of the first was.
  ReadPlan plan_read(const Inode& inode, std::uint64_t offset, std::size_t length) const;
  std::size_t read_planned(const ReadPlan& plan, Bytes out) const;
  // As FileSystem::seek.
  std::optional<std::uint64_t> seek(const Inode& inode, std::uint64_t offset,
                                    SeekTarget target) const;
  // The target as it is stored.  Throws Error(EUCLEAN) when it is empty or too long.
  std::string stored_symlink(const Inode& inode) const;

 private:
  std::uint64_t size_of(const Inode& inode) const;
  bool is_fast_symlink(const Inode& inode) const;

  const Volume& volume_;
  mutable MapCache maps_;
};

// The bytes kept in the inode itself, with inode_inline_data: the 60 of the block map, then the
// value of the attribute system.data.  Throws Error(EUCLEAN) for broken attributes.
struct InlineData {
  ConstBytes first;
  ConstBytes rest;
};
InlineData inline_data_of(const Inode& inode);

}  // namespace vimg::ext4
