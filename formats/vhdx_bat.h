// VHDX BAT: where each block is, with the changes that are not in the file yet.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <vector>

#include "disk/disk.h"
#include "formats/vhdx_layout.h"
#include "formats/vhdx_metadata.h"

namespace vimg::vhdx {

// A BAT entry.
struct BatEntry {
  std::uint64_t value;

  BlockState state() const noexcept { return BlockState(value & entry_state_mask); }
  // True for a sector bitmap block that is in the file.
  bool has_bitmap() const noexcept { return (value & entry_state_mask) == bitmap_present; }
  bool has_payload() const noexcept {
    return state() == BlockState::fully_present || state() == BlockState::partially_present;
  }
  std::uint64_t place() const noexcept { return value & entry_place_mask; }
};

// 4 KiB of the file, as it is to become.
struct TablePage {
  std::uint64_t offset;  // in the file, a multiple of 4096
  std::vector<std::byte> content;
};

// Threads: entries may be read by any while one changes them.
class Bat {
 public:
  // `tables` is the file through a cache.
  Bat(DiskPtr tables, const Region& region) : tables_(std::move(tables)), region_(region) {}

  // Fills `out` with the entries from `first` on, which are in the region.
  void read(std::uint64_t first, std::span<BatEntry> out) const;
  BatEntry read(std::uint64_t index) const;

  // Changes an entry, in memory only.
  void set(std::uint64_t index, BatEntry entry);
  std::uint64_t changed_entries() const;
  // At most `count` of the pages that have changed entries, from the lowest on.
  std::vector<TablePage> changed_pages(std::uint64_t count) const;
  // Writes pages that changed_pages() gave; their entries are not changed any more.
  void write(const std::vector<TablePage>& pages);

 private:
  const DiskPtr tables_;
  const Region region_;
  std::atomic<bool> any_changed_ = false;
  mutable std::mutex mutex_;                        // guards changed_; never held across I/O
  std::map<std::uint64_t, std::uint64_t> changed_;  // index to value
};

}  // namespace vimg::vhdx
