// VHDX space: which parts of the file the structure and the blocks take.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "formats/vhdx_bat.h"
#include "formats/vhdx_metadata.h"

namespace vimg::vhdx {

// An entry of the BAT that is in use.
struct BatSlot {
  BatEntry entry;
  bool is_bitmap;
  std::uint64_t number;  // of the payload block, or of the chunk whose bitmap it is
};

// Calls `visit` for each entry in the order of the BAT; bitmaps' only in differencing files.
void visit_bat(const Layout& layout, const Bat& bat,
               const std::function<void(const BatSlot&)>& visit);

// Which MiB of a file are taken.
class SpaceMap {
 public:
  // Throws Error(EOPNOTSUPP) for a file that is longer than max_file_size.
  SpaceMap(const Layout& layout, std::uint64_t file_size);

  // Takes a range, a multiple of a MiB in the file; it may leave the file.  False when part of it
  // was taken before.
  bool take(std::uint64_t offset, std::uint64_t length);
  // Where the last range that was taken ends; not before the end of the structure.
  std::uint64_t end() const noexcept { return end_; }
  // Bytes behind `offset`, a multiple of a MiB, that nobody took up to the next that somebody did
  // or to `limit`.
  std::uint64_t free_at(std::uint64_t offset, std::uint64_t limit) const;
  bool is_taken(std::uint64_t offset) const;

 private:
  std::vector<bool> taken_;  // by MiB
  std::uint64_t end_ = 0;
};

}  // namespace vimg::vhdx
