#include "formats/vhdx_check.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "disk/cached_disk.h"
#include "disk/checked.h"
#include "disk/error.h"
#include "formats/vhdx_replay.h"
#include "formats/vhdx_space.h"

namespace vimg::vhdx {
namespace {

// Copies that a reader can do without; that one is missing is found out here.
void check_copies(const Disk& file, CheckReport& report) {
  for (unsigned copy = 0; copy < 2; ++copy) {
    if (!read_header(file, copy)) {
      report.add_corruption(fmt::format("header {} has no valid signature and checksum", copy + 1));
    }
  }
  const std::array tables{read_region_table(file, 0), read_region_table(file, 1)};
  for (unsigned copy = 0; copy < 2; ++copy) {
    if (!tables[copy]) {
      report.add_corruption(
          fmt::format("region table {} has no valid signature, checksum and count", copy + 1));
    }
  }
  if (tables[0] && tables[1] &&
      !std::ranges::equal(std::as_bytes(std::span(*tables[0])),
                          std::as_bytes(std::span(*tables[1])))) {
    report.add_corruption("the two region tables differ");
  }
}

class BatCheck {
 public:
  BatCheck(const Layout& layout, const Bat& bat, std::uint64_t file_size, CheckReport& report)
      : layout_(layout),
        bat_(bat),
        file_size_(file_size),
        report_(report),
        space_(layout, file_size) {}

  void run() {
    report_.total_blocks = layout_.block_count();
    visit_bat(layout_, bat_, [&](const BatSlot& slot) {
      slot.is_bitmap ? check_bitmap(slot) : check_payload(slot);
    });
    count_leaks();
    report_.image_end = space_.end();
  }

  // Where the last thing in use ends.
  std::uint64_t end() const noexcept { return space_.end(); }

 private:
  void check_payload(const BatSlot& slot) {
    const BatEntry entry = slot.entry;
    if ((entry.value & entry_state_mask) == 4) {
      report_.add_corruption(fmt::format("block {}: state 4, which there is not", slot.number));
      return;
    }
    if (!entry.has_payload()) {
      return;
    }
    ++report_.allocated_blocks;
    // QEMU ends a fixed image with its disk, in the middle of the last block.
    const std::uint64_t used = std::min<std::uint64_t>(
        layout_.block_size, layout_.disk_size - slot.number * layout_.block_size);
    take({entry.place(), layout_.block_size}, used, fmt::format("block {}", slot.number));
    if (entry.state() == BlockState::partially_present && !has_bitmap(slot.number)) {
      report_.add_corruption(
          fmt::format("block {} is present in part, and has no sector bitmap", slot.number));
    }
  }

  void check_bitmap(const BatSlot& slot) {
    if (slot.entry.has_bitmap()) {
      take({slot.entry.place(), mib}, mib, fmt::format("bitmap of chunk {}", slot.number));
    } else if ((slot.entry.value & entry_state_mask) != 0) {
      report_.add_corruption(fmt::format("bitmap of chunk {}: state {}, which there is not",
                                         slot.number, slot.entry.value & entry_state_mask));
    }
  }

  bool has_bitmap(std::uint64_t block) const {
    return layout_.parent_locator &&
           bat_.read(layout_.bitmap_index(block / layout_.chunk_ratio())).has_bitmap();
  }

  // The first `used` bytes of `place` are needed.
  void take(const Region& place, std::uint64_t used, const std::string& what) {
    if (!fits(place.offset, used, file_size_)) {
      report_.add_corruption(fmt::format("{} at {:#x} (+{:#x}) lies beyond the file end {:#x}",
                                         what, place.offset, used, file_size_));
      return;
    }
    first_block_ = std::min(first_block_, place.offset);
    if (layout_.is_occupied(place.offset, place.length)) {
      report_.add_corruption(
          fmt::format("{} at {:#x} lies in a region of the file's structure", what, place.offset));
      return;
    }
    if (!space_.take(place.offset, place.length)) {
      report_.add_corruption(fmt::format("{} at {:#x} overlaps another one", what, place.offset));
    }
  }

  // Between the structure and the first block writers leave as much as they like; in between blocks
  // and behind them whole blocks are what was lost.
  void count_leaks() {
    const std::uint64_t limit = round_down(file_size_, mib);
    std::uint64_t at = std::min(first_block_, space_.end());
    while (at < limit) {
      const std::uint64_t free = space_.free_at(at, limit);
      for (std::uint64_t i = 0; i < free / layout_.block_size; ++i) {
        report_.add_leak(
            fmt::format("nothing refers to the space at {:#x}", at + i * layout_.block_size));
      }
      at += std::max(free, mib);
    }
  }

  const Layout& layout_;
  const Bat& bat_;
  const std::uint64_t file_size_;
  CheckReport& report_;
  SpaceMap space_;
  std::uint64_t first_block_ = max_file_size;
};

// Cuts off what nothing refers to behind the last block.
void give_back_end(Disk& file, CurrentHeader& current, const Layout& layout, std::uint64_t end,
                   CheckReport& report) {
  if (end >= file.size() || report.corruptions != 0) {
    return;
  }
  report.leaks_fixed = std::min(report.leaks, (file.size() - end) / layout.block_size);
  Header wanted = current.header;
  wanted.file_write_guid = random_guid();
  update_headers(file, current, wanted);
  file.resize(end);
  file.flush();
}

}  // namespace

CheckReport check(DiskPtr file, OpenContext& context, Repair repair) {
  CurrentHeader current = read_current_header(*file);
  CheckReport report;
  check_copies(*file, report);
  if (has_log(current.header)) {
    if (repair == Repair::leaks) {
      replay_into_file(*file, current);
    } else {
      context.warn("vhdx: the log is to be replayed; the image is checked as it is afterwards");
    }
  }
  const DiskPtr replayed = make_replayed(std::move(file), current.header);
  const Layout layout = read_layout(*replayed, current.header);
  const Bat bat(make_cached_disk(replayed, 0), layout.bat);
  BatCheck bat_check(layout, bat, replayed->size(), report);
  bat_check.run();
  if (repair == Repair::leaks) {
    give_back_end(*replayed, current, layout, bat_check.end(), report);
  }
  return report;
}

}  // namespace vimg::vhdx
