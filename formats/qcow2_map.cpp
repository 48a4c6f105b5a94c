#include "formats/qcow2_map.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg::qcow2 {
namespace {

// True when `next`, which follows `run`, only makes it longer.
bool continues(const Mapping& run, const Mapping& next) noexcept {
  if (run.kind != next.kind || run.kind == Mapping::Kind::compressed) {
    return false;
  }
  return run.kind != Mapping::Kind::data ||
         (run.copied == next.copied && run.host_offset + run.length == next.host_offset);
}

}  // namespace

std::vector<std::uint64_t> read_l1(const Disk& file, std::uint64_t offset, std::uint64_t count) {
  const auto raw = read_table<be64>(file, offset, count, max_l1_bytes, layer, "L1 table");
  return {raw.begin(), raw.end()};
}

ClusterMap::ClusterMap(const Geometry& geometry, DiskPtr file, std::uint64_t l1_offset,
                       std::vector<std::uint64_t> l1, std::uint64_t cache_bytes)
    : geometry_(geometry),
      file_(std::move(file)),
      l1_offset_(l1_offset),
      tables_(geometry.slice_size(), cache_bytes),
      l1_(std::move(l1)) {}

// Each round but the last reads a slice that was missing; it ends unless other threads push that
// slice out again every time.
Mapping ClusterMap::find(std::uint64_t offset, std::uint64_t max) const {
  for (;;) {
    Place where{};
    std::uint64_t generation = 0;
    {
      const std::shared_lock lock(mutex_);
      const std::uint64_t table = checked_l1(l1_index(offset)) & offset_mask;
      if (table == 0) {
        return without_table(offset, max);
      }
      where = place(table, offset);
      const ConstBytes slice = tables_.find(where.slice);
      if (!slice.empty()) {
        return run_in_slice(slice, where.index, offset, max);
      }
      generation = generation_;
    }
    load(where, generation);
  }
}

// Ends for the reason given at find().
Entry ClusterMap::entry(std::uint64_t offset) const {
  for (;;) {
    Place where{};
    std::uint64_t generation = 0;
    {
      const std::shared_lock lock(mutex_);
      const std::uint64_t table = checked_l1(l1_index(offset)) & offset_mask;
      if (table == 0) {
        return {};
      }
      where = place(table, offset);
      const ConstBytes slice = tables_.find(where.slice);
      if (!slice.empty()) {
        return entry_in(slice, where.index);
      }
      generation = generation_;
    }
    load(where, generation);
  }
}

std::uint64_t ClusterMap::l1_entry(std::uint64_t index) const {
  const std::shared_lock lock(mutex_);
  return checked_l1(index);
}

// A snapshot may be of a larger disk than its L1 table maps; the rest is unallocated.
std::uint64_t ClusterMap::checked_l1(std::uint64_t index) const {
  if (index >= l1_.size()) {
    return 0;
  }
  const std::uint64_t entry = l1_[index];
  if ((entry & offset_mask) % geometry_.cluster_size() != 0) {
    throw_corrupt(layer,
                  fmt::format("L1 entry {}, {:#018x}, is not at a cluster's start", index, entry));
  }
  return entry;
}

ClusterMap::Place ClusterMap::place(std::uint64_t table, std::uint64_t offset) const noexcept {
  const std::uint64_t span = 1ULL << geometry_.l2_span_bits();
  const std::uint64_t index = offset % span >> geometry_.cluster_bits();
  const std::uint64_t per_slice = geometry_.entries_per_slice();
  return {table, table + index / per_slice * geometry_.slice_size(), index % per_slice};
}

// Empty tables are passed over together, as most of a huge sparse disk is made of them.
Mapping ClusterMap::without_table(std::uint64_t offset, std::uint64_t max) const {
  const std::uint64_t span = 1ULL << geometry_.l2_span_bits();
  std::uint64_t index = l1_index(offset);
  std::uint64_t length = span - offset % span;
  while (length < max && (++index >= l1_.size() || (l1_[index] & offset_mask) == 0)) {
    length = index >= l1_.size() ? max : length + span;
  }
  Mapping mapping;
  mapping.length = std::min(length, max);
  return mapping;
}

Entry ClusterMap::entry_in(ConstBytes slice, std::uint64_t index) const noexcept {
  const std::size_t at = index * geometry_.entry_size();
  Entry entry;
  entry.word = vimg::load<be64>(slice, at);
  entry.bitmap = geometry_.extended() ? vimg::load<be64>(slice, at + 8).value() : 0;
  return entry;
}

Mapping ClusterMap::run_in_slice(ConstBytes slice, std::uint64_t index, std::uint64_t offset,
                                 std::uint64_t max) const {
  Mapping run = geometry_.unit(entry_in(slice, index), offset);
  const std::uint64_t first = offset >> geometry_.cluster_bits();
  while (run.length < max) {
    const std::uint64_t next_offset = offset + run.length;
    const std::uint64_t next_index = index + (next_offset >> geometry_.cluster_bits()) - first;
    if (next_index >= geometry_.entries_per_slice()) {
      break;
    }
    const Mapping next = geometry_.unit(entry_in(slice, next_index), next_offset);
    if (!continues(run, next)) {
      break;
    }
    run.length += next.length;
  }
  run.length = std::min(run.length, max);
  return run;
}

// What was read may be older than what has been changed, written back and dropped since then;
// it is kept only when nothing was written back in between.
void ClusterMap::load(const Place& where, std::uint64_t generation) const {
  auto content = read_slice(*file_, where.table, where.slice, geometry_.slice_size(), "L2 table");
  const std::unique_lock lock(mutex_);
  if (generation == generation_) {
    tables_.insert(where.slice, std::move(content));
  }
}

void ClusterMap::set_table(std::uint64_t index, std::uint64_t table) {
  const std::unique_lock lock(mutex_);
  // What is held of this place is of its former use.
  tables_.forget(table, geometry_.cluster_size());
  ++generation_;
  l1_.at(index) = table | entry_copied;
  changed_l1_.insert(index);
}

void ClusterMap::load_for_change(std::uint64_t offset) { entry(offset); }

void ClusterMap::set_entries(std::uint64_t offset, std::span<const Entry> entries) {
  for (;;) {
    load_for_change(offset);
    const std::unique_lock lock(mutex_);
    const Place where = place(checked_l1(l1_index(offset)) & offset_mask, offset);
    // Readers may have pushed it out since it was loaded; then again.
    if (tables_.find(where.slice).empty()) {
      continue;
    }
    const Bytes slice = tables_.change(where.slice);
    std::size_t at = where.index * geometry_.entry_size();
    for (const Entry& entry : entries) {
      store(slice, at, be64(entry.word));
      if (geometry_.extended()) {
        store(slice, at + 8, be64(entry.bitmap));
      }
      at += geometry_.entry_size();
    }
    return;
  }
}

// Readers go on while slices are written: only the caller changes any, and none that is changed is
// dropped.
void ClusterMap::write_back_tables() {
  std::vector<TableCache::Changed> slices;
  {
    const std::shared_lock lock(mutex_);
    slices = tables_.changed();
  }
  for (const TableCache::Changed& slice : slices) {
    file_->write(slice.offset, slice.content);
  }
  const std::unique_lock lock(mutex_);
  tables_.mark_written(slices);
  ++generation_;
}

void ClusterMap::write_back_l1() {
  while (!changed_l1_.empty()) {
    const std::uint64_t index = *changed_l1_.begin();
    file_->write(l1_offset_ + index * sizeof(be64), bytes_of(be64(l1_[index])));
    changed_l1_.erase(changed_l1_.begin());
  }
}

}  // namespace vimg::qcow2
