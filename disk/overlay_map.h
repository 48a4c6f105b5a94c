// OverlayMap: where the current content of each block of an overlay is.
#pragma once

#include <cstdint>
#include <map>
#include <shared_mutex>
#include <vector>

#include "disk/range_set.h"

namespace vimg {

constexpr std::uint64_t overlay_block_size = 4096;
// Blocks are kept in regions of 64, so that what one knows of a region fits into two words.
constexpr std::uint64_t overlay_region_size = 64 * overlay_block_size;

// One region.  Bit n is block n; at most one of the masks has it, and the base has the rest.
struct OverlayRegion {
  static constexpr std::uint64_t no_place = ~std::uint64_t{0};

  std::uint64_t stored = 0;              // blocks whose content is in the store
  std::uint64_t zero = 0;                // blocks that are zeros
  std::uint64_t store_place = no_place;  // where the store keeps this region, in bytes
};

// All members may be called from any thread; whoever changes a region keeps others from changing
// the same one between region() and set_region().
class OverlayMap {
 public:
  enum class Place { base, store, zero };
  struct Run {
    Place place;
    std::uint64_t length;        // bytes, at least 1
    std::uint64_t store_offset;  // in bytes, when in the store
  };

  // The run of bytes at `offset` that are in one place, at most `max`.
  Run run_at(std::uint64_t offset, std::uint64_t max) const;

  // The region numbered `index`; one that was never set is the base's, or zeros.
  OverlayRegion region(std::uint64_t index) const;
  void set_region(std::uint64_t index, const OverlayRegion& region);

  // Makes the regions [begin, end) zeros at a cost that grows with the regions set among them
  // only.  Returns those; nothing refers to their place in the store afterwards.
  std::vector<OverlayRegion> zero_regions(std::uint64_t begin, std::uint64_t end);

 private:
  Run run_in(const OverlayRegion& region, std::uint64_t offset, std::uint64_t max) const noexcept;
  Run run_outside(std::uint64_t offset, std::uint64_t next_region, std::uint64_t max) const;

  mutable std::shared_mutex mutex_;  // guards the members below; never held across I/O
  std::map<std::uint64_t, OverlayRegion> regions_;
  RangeSet zeroed_;  // indexes of regions that are zeros unless regions_ has them
};

}  // namespace vimg
