// VHDX block map: what lies where on the disk.
#pragma once

#include <cstdint>

#include "disk/disk.h"
#include "formats/block_disk.h"
#include "formats/vhdx_bat.h"
#include "formats/vhdx_metadata.h"

namespace vimg::vhdx {

// Looks blocks up in the BAT and, in differencing files, sectors in the bitmaps.
//
// Threads: any.
class BlockLookup {
 public:
  // `file` is the image's file, `tables` the same through a cache.
  BlockLookup(Layout layout, DiskPtr file, DiskPtr tables);

  const Layout& layout() const noexcept { return layout_; }
  Bat& bat() noexcept { return bat_; }
  const Bat& bat() const noexcept { return bat_; }

  // As BlockMap::find().
  BlockRun find(std::uint64_t offset, std::uint64_t max) const;
  // Throws Error(EUCLEAN) unless what belongs to `block` may lie there.
  void validate_place(std::uint64_t place, std::uint64_t length, std::uint64_t block) const;

 private:
  BlockRun run_in_block(BatEntry entry, std::uint64_t offset, std::uint64_t max) const;
  BlockRun data_run(std::uint64_t place, std::uint64_t length) const;
  BlockRun partial_run(BatEntry entry, std::uint64_t offset, std::uint64_t max) const;

  const Layout layout_;
  const DiskPtr file_;
  const DiskPtr tables_;
  Bat bat_;
};

// The map of an image that is only read.
class ReadOnlyMap final : public BlockMap {
 public:
  ReadOnlyMap(Layout layout, DiskPtr file, DiskPtr tables)
      : lookup_(std::move(layout), std::move(file), std::move(tables)) {}

  BlockRun find(std::uint64_t offset, std::uint64_t max) const override {
    return lookup_.find(offset, max);
  }

 private:
  const BlockLookup lookup_;
};

}  // namespace vimg::vhdx
