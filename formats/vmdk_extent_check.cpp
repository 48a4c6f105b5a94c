#include "formats/vmdk_extent_check.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "disk/cached_disk.h"
#include "disk/checked.h"
#include "disk/error.h"
#include "formats/vmdk_layout.h"
#include "formats/vmdk_tables.h"
#include "formats/vmdk_usage.h"

namespace vimg::vmdk {
namespace {

constexpr std::uint64_t cache_bytes = 1U << 20;

class ExtentCheck {
 public:
  ExtentCheck(const SparseLayout& layout, const DiskPtr& file, const std::string& prefix,
              CheckReport& report)
      : layout_(layout),
        file_(file),
        tables_(make_cached_disk(file, cache_bytes)),
        prefix_(prefix),
        report_(report) {}

  void run(Repair repair);

 private:
  enum class Pass { report, give_back };

  void say_stale_copies();
  void close_properly();
  void give_back_leaks();
  void scan(Pass pass);
  void mark_structure();
  void mark_tables(std::uint64_t directory, const char* kind);
  void mark_grains();
  void mark_grain(std::uint64_t grain, std::uint32_t entry);
  std::uint64_t grain_bytes(std::uint64_t grain, std::uint64_t place);
  void compare_copy(std::uint64_t index, const std::vector<le32>& table);
  bool read_table(std::uint64_t directory, std::uint64_t index, std::vector<le32>& table) const;
  std::uint64_t table_place(std::uint64_t directory, std::uint64_t index) const;
  void find_leaks(Pass pass);
  void handle_leak(Pass pass, std::uint64_t place, std::uint64_t length);
  void mark(std::uint64_t place, std::uint64_t length, const std::string& what);
  // Said once: by the pass that reports, in the window that `place` lies in.
  void corruption(std::uint64_t place, const std::string& text);

  const SparseLayout& layout_;
  const DiskPtr file_;
  const DiskPtr tables_;
  const std::string& prefix_;
  CheckReport& report_;
  Pass pass_ = Pass::report;
  std::uint64_t window_begin_ = 0;  // sectors
  std::uint64_t window_end_ = 0;
  SectorUsage usage_{0, 0};
  std::uint64_t end_ = 0;    // bytes: where what is in use ends
  std::uint64_t leaks_ = 0;  // of this extent
  std::uint64_t stale_copies_ = 0;
};

void ExtentCheck::run(Repair repair) {
  const std::uint64_t corruptions = report_.corruptions;
  report_.total_blocks += layout_.grain_count();
  scan(Pass::report);
  report_.image_end = std::max(report_.image_end, end_);
  if (repair == Repair::nothing || report_.corruptions != corruptions) {
    say_stale_copies();
    return;
  }
  if (layout_.is_unclean) {
    close_properly();
  }
  if (leaks_ > 0) {
    give_back_leaks();
  }
}

// Who was killed while writing leaves a copy behind its table, which loses nothing.
void ExtentCheck::say_stale_copies() {
  if (stale_copies_ > 0 && report_.findings.size() < CheckReport::max_findings) {
    report_.findings.push_back(
        fmt::format("{}{} grain tables differ from their copies, as the "
                    "image was not closed properly",
                    prefix_, stale_copies_));
  }
}

void ExtentCheck::close_properly() {
  GrainTables(layout_, file_, cache_bytes).mirror();
  file_->flush();
  write_state(*file_, layout_, WriteState::closed);
  file_->flush();
}

void ExtentCheck::give_back_leaks() {
  const std::uint64_t end = round_up(end_, sector);
  if (end < file_->size()) {
    file_->resize(end);
  }
  scan(Pass::give_back);
  file_->flush();
  report_.leaks_fixed += leaks_;
}

// A pass over the tables for each window of the file.
void ExtentCheck::scan(Pass pass) {
  pass_ = pass;
  const std::uint64_t sectors = divide_up(file_->size(), sector);
  for (std::uint64_t begin = 0; begin < sectors; begin = window_end_) {
    window_begin_ = begin;
    window_end_ = std::min(sectors, begin + SectorUsage::max_window);
    usage_ = SectorUsage(begin, window_end_ - begin);
    mark_structure();
    mark_grains();
    if (!layout_.is_compressed) {
      find_leaks(pass);
    }
  }
}

void ExtentCheck::corruption(std::uint64_t place, const std::string& text) {
  const std::uint64_t at = place / sector;
  if (pass_ == Pass::report && at >= window_begin_ &&
      (at < window_end_ || place >= file_->size())) {
    report_.add_corruption(prefix_ + text);
  }
}

void ExtentCheck::mark(std::uint64_t place, std::uint64_t length, const std::string& what) {
  end_ = std::max(end_, place + length);
  const std::uint64_t first = place / sector;
  if (!usage_.mark(first, divide_up(place + length, sector) - first)) {
    corruption(place, fmt::format("{} at {:#x} overlaps something else", what, place));
  }
}

// What lies before the grains is the structure's whether it is used or not.
void ExtentCheck::mark_structure() {
  const std::uint64_t header =
      layout_.kind == SparseLayout::Kind::cowd ? sizeof(CowdHeader) : sizeof(SparseHeader);
  mark(0, header, "the header");
  if (layout_.descriptor && layout_.descriptor->length > 0) {
    mark(layout_.descriptor->offset, layout_.descriptor->length, "the descriptor");
  }
  mark_tables(layout_.directory, "grain");
  if (layout_.redundant_directory) {
    mark_tables(*layout_.redundant_directory, "redundant grain");
  }
}

// The place that a directory has for a table; 0 when that is none, or none in the file.
std::uint64_t ExtentCheck::table_place(std::uint64_t directory, std::uint64_t index) const {
  const auto entry = read_object<le32>(*tables_, directory + index * sizeof(le32));
  const std::uint64_t place = entry * sector;
  return fits(place, layout_.table_bytes(), file_->size()) ? place : 0;
}

void ExtentCheck::mark_tables(std::uint64_t directory, const char* kind) {
  if (layout_.table_count == 0) {
    return;
  }
  mark(directory, layout_.table_count * sizeof(le32), fmt::format("the {} directory", kind));
  for (std::uint64_t index = 0; index < layout_.table_count; ++index) {
    const std::uint64_t place = table_place(directory, index);
    if (place != 0) {
      mark(place, layout_.table_bytes(), fmt::format("{} table {}", kind, index));
    } else if (read_object<le32>(*tables_, directory + index * sizeof(le32)) != 0) {
      corruption(directory, fmt::format("{} table {} lies beyond the file end", kind, index));
    }
  }
}

bool ExtentCheck::read_table(std::uint64_t directory, std::uint64_t index,
                             std::vector<le32>& table) const {
  const std::uint64_t place = table_place(directory, index);
  if (place != 0) {
    tables_->read(place, std::as_writable_bytes(std::span(table)));
  }
  return place != 0;
}

// As many tables as the file has room for: a hostile directory has every entry lead to one.
void ExtentCheck::mark_grains() {
  std::vector<le32> table(layout_.table_entries);
  const std::uint64_t grains = layout_.grain_count();
  std::uint64_t room = file_->size() / layout_.table_bytes();
  for (std::uint64_t index = 0; index < layout_.table_count; ++index) {
    if (!read_table(layout_.directory, index, table)) {
      continue;
    }
    if (room-- == 0) {
      corruption(layout_.directory, "the grain directory has more tables than the file holds");
      return;
    }
    compare_copy(index, table);
    const std::uint64_t first = index * layout_.table_entries;
    for (std::uint64_t i = 0; i < std::min(layout_.table_entries, grains - first); ++i) {
      mark_grain(first + i, table[i]);
    }
  }
}

void ExtentCheck::compare_copy(std::uint64_t index, const std::vector<le32>& table) {
  std::vector<le32> copy(table.size());
  if (!layout_.redundant_directory) {
    return;
  }
  if (!read_table(*layout_.redundant_directory, index, copy)) {
    corruption(layout_.directory, fmt::format("grain table {} has no copy", index));
  } else if (!std::ranges::equal(table, copy) && layout_.is_unclean) {
    stale_copies_ += pass_ == Pass::report && window_begin_ == 0 ? 1 : 0;
  } else if (!std::ranges::equal(table, copy)) {
    corruption(layout_.directory, fmt::format("grain table {} and its copy differ", index));
  }
}

void ExtentCheck::mark_grain(std::uint64_t grain, std::uint32_t entry) {
  if (entry == 0 || (entry == zeroed_grain && layout_.has_zeroed_grains)) {
    return;
  }
  if (pass_ == Pass::report && window_begin_ == 0) {
    ++report_.allocated_blocks;
    report_.compressed_blocks += layout_.is_compressed ? 1 : 0;
  }
  const std::uint64_t place = entry * sector;
  // What was written of the last grain may be less than a grain.
  if (place >= file_->size()) {
    if (window_begin_ == 0) {
      corruption(place, fmt::format("grain {} at {:#x} lies beyond the file end {:#x}", grain,
                                    place, file_->size()));
    }
    return;
  }
  const std::uint64_t length = grain_bytes(grain, place);
  mark(place, std::min(length, file_->size() - place), fmt::format("grain {}", grain));
}

// As it is stored.
std::uint64_t ExtentCheck::grain_bytes(std::uint64_t grain, std::uint64_t place) {
  if (!layout_.is_compressed || !layout_.has_markers) {
    return layout_.is_compressed ? 1 : layout_.grain_size;
  }
  if (!fits(place, sizeof(GrainMarker), file_->size())) {
    corruption(place, fmt::format("grain {} at {:#x} lies beyond the file end", grain, place));
    return 1;
  }
  const auto marker = read_object<GrainMarker>(*tables_, place);
  const std::uint64_t expected = grain * (layout_.grain_size / sector);
  if (marker.first_sector != expected || marker.size == 0 || marker.size > 2 * layout_.grain_size ||
      !fits(place, sizeof(GrainMarker) + marker.size, file_->size())) {
    corruption(place, fmt::format("grain {} at {:#x} is marked as {:#x} bytes of sector {:#x}",
                                  grain, place, marker.size.value(), marker.first_sector.value()));
    return 1;
  }
  return sizeof(GrainMarker) + marker.size;
}

void ExtentCheck::find_leaks(Pass pass) {
  usage_.for_each_unused(layout_.grains_begin / sector,
                         [&](std::uint64_t first, std::uint64_t count) {
                           handle_leak(pass, first * sector, count * sector);
                         });
}

// What the host stores of an unused run; less than a grain is what lies between things.
void ExtentCheck::handle_leak(Pass pass, std::uint64_t place, std::uint64_t length) {
  const std::uint64_t end = std::min(place + length, file_->size());
  while (place < end) {
    const Extent extent = file_->extent(place, end - place);
    const std::uint64_t grains = extent.length / layout_.grain_size;
    if (extent.kind != Extent::Kind::hole && grains > 0 && pass == Pass::give_back) {
      file_->discard(place, extent.length);
    } else if (extent.kind != Extent::Kind::hole && grains > 0) {
      leaks_ += grains;
      report_.add_leak(
          fmt::format("{}{} grains at {:#x} that nothing refers to", prefix_, grains, place));
      report_.leaks += grains - 1;
    }
    place += extent.length;
  }
}

}  // namespace

void check_extent(const SparseLayout& layout, const DiskPtr& file, const std::string& prefix,
                  Repair repair, CheckReport& report) {
  ExtentCheck(layout, file, prefix, report).run(repair);
}

}  // namespace vimg::vmdk
