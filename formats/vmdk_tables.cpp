#include "formats/vmdk_tables.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "disk/cached_disk.h"
#include "disk/checked.h"
#include "disk/error.h"
#include "formats/vmdk_layout.h"

namespace vimg::vmdk {
namespace {

constexpr std::uint64_t max_file_sectors = std::uint64_t{1} << 32;  // entries are of 32 bits

}  // namespace

GrainTables::GrainTables(const SparseLayout& layout, DiskPtr file, std::uint64_t cache_bytes)
    : layout_(layout), file_(std::move(file)), tables_(make_cached_disk(file_, cache_bytes)) {}

std::optional<std::uint64_t> GrainTables::place_in(std::uint64_t directory,
                                                   std::uint64_t index) const {
  const auto entry = read_object<le32>(*tables_, directory + index * sizeof(le32));
  if (entry == 0) {
    return std::nullopt;
  }
  const std::uint64_t place = entry * sector;
  if (!fits(place, layout_.table_bytes(), file_->size())) {
    throw_corrupt(layer, fmt::format("grain table {} at {:#x} lies beyond the file end {:#x}",
                                     index, place, file_->size()));
  }
  return place;
}

std::optional<GrainTables::NewTable> GrainTables::new_table(std::uint64_t index) const {
  if (!any_changed_) {
    return std::nullopt;
  }
  const std::lock_guard lock(mutex_);
  const auto found = new_tables_.find(index);
  return found == new_tables_.end() ? std::nullopt : std::optional(found->second);
}

// A new table is looked up before the directory is: one that is not there any more was written.
std::optional<std::uint64_t> GrainTables::table_place(std::uint64_t index) const {
  const std::optional<NewTable> added = new_table(index);
  return added ? added->place : place_in(layout_.directory, index);
}

std::optional<std::uint64_t> GrainTables::redundant_place(std::uint64_t index) const {
  if (!layout_.redundant_directory) {
    return std::nullopt;
  }
  const std::optional<NewTable> added = new_table(index);
  return added ? added->redundant : place_in(*layout_.redundant_directory, index);
}

// Changed entries come before the file's for the same reason.
bool GrainTables::read(std::uint64_t grain, std::span<std::uint32_t> out) const {
  std::array<std::optional<std::uint32_t>, max_read> changed{};
  if (any_changed_) {
    const std::lock_guard lock(mutex_);
    const auto end = changed_.lower_bound(grain + out.size());
    for (auto i = changed_.lower_bound(grain); i != end; ++i) {
      changed[i->first - grain] = i->second;
    }
  }
  const std::optional<std::uint64_t> table = table_place(grain / layout_.table_entries);
  if (!table) {
    return false;
  }
  std::array<le32, max_read> stored;
  tables_->read(*table + grain % layout_.table_entries * sizeof(le32),
                std::as_writable_bytes(std::span(stored).first(out.size())));
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = changed[i] ? *changed[i] : stored[i].value();
  }
  return true;
}

void GrainTables::prepare(std::uint64_t grain) {
  const std::uint64_t index = grain / layout_.table_entries;
  if (table_place(index)) {
    if (layout_.redundant_directory && !redundant_place(index)) {
      throw_corrupt(layer, fmt::format("grain table {} has no copy in the redundant grain "
                                       "directory, and cannot be written",
                                       index));
    }
    return;
  }
  const std::uint64_t place = round_up(file_->size(), sector);
  const std::uint64_t copies = layout_.redundant_directory ? 2 : 1;
  const std::uint64_t step = round_up(layout_.table_bytes(), sector);
  if ((place + copies * step) / sector > max_file_sectors) {
    throw_error(EFBIG, layer, "the extent is as large as it can be");
  }
  file_->resize(place + copies * step);
  const std::lock_guard lock(mutex_);
  new_tables_[index] = {place, copies == 2 ? place + step : 0};
  any_changed_ = true;
}

void GrainTables::set(std::uint64_t grain, std::uint32_t entry) {
  const std::lock_guard lock(mutex_);
  changed_[grain] = entry;
  any_changed_ = true;
}

std::size_t GrainTables::changed_entries() const {
  const std::lock_guard lock(mutex_);
  return changed_.size();
}

// Grains first, then the entries that lead to them, then the directory that leads to those; an
// entry that is lost in a crash costs space only.
void GrainTables::flush() {
  if (!any_changed_) {
    return;
  }
  file_->flush();
  const auto changed = [&] {
    const std::lock_guard lock(mutex_);
    return changed_;
  }();
  write_entries(changed);
  if (!new_tables_.empty()) {
    file_->flush();
    write_directories();
  }
  const std::lock_guard lock(mutex_);
  changed_.clear();
  new_tables_.clear();
  any_changed_ = false;
}

// Neighbours are written at once.
void GrainTables::write_entries(const std::map<std::uint64_t, std::uint32_t>& changed) {
  std::vector<le32> run;
  for (auto i = changed.begin(); i != changed.end();) {
    const std::uint64_t first = i->first;
    const std::uint64_t index = first / layout_.table_entries;
    run.clear();
    while (i != changed.end() && i->first == first + run.size() &&
           i->first / layout_.table_entries == index) {
      run.emplace_back(i->second);
      ++i;
    }
    const std::uint64_t skip = first % layout_.table_entries * sizeof(le32);
    // The copy first: the table is what is read, so a crash between them is mended by mirror().
    for (const auto& place : {redundant_place(index), table_place(index)}) {
      if (place) {
        tables_->write(*place + skip, std::as_bytes(std::span(run)));
      }
    }
  }
}

void GrainTables::write_directories() {
  for (const auto& [index, table] : new_tables_) {
    if (layout_.redundant_directory) {
      write_directory_entry(*layout_.redundant_directory, index, table.redundant);
    }
    write_directory_entry(layout_.directory, index, table.place);
  }
}

void GrainTables::write_directory_entry(std::uint64_t directory, std::uint64_t index,
                                        std::uint64_t place) {
  tables_->write(directory + index * sizeof(le32), bytes_of(le32(std::uint32_t(place / sector))));
}

void GrainTables::mirror() {
  std::vector<std::byte> table(layout_.table_bytes());
  std::vector<std::byte> copy(table.size());
  for (std::uint64_t index = 0; layout_.redundant_directory && index < layout_.table_count;
       ++index) {
    const std::optional<std::uint64_t> place = table_place(index);
    const std::optional<std::uint64_t> redundant = redundant_place(index);
    if (!place || !redundant) {
      continue;
    }
    tables_->read(*place, table);
    tables_->read(*redundant, copy);
    if (table != copy) {
      tables_->write(*redundant, table);
    }
  }
}

}  // namespace vimg::vmdk
