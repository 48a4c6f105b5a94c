// How a write that needs host clusters is planned.
#include <algorithm>
#include <array>

#include "disk/checked.h"
#include "formats/qcow2_writer.h"

namespace vimg::qcow2 {
namespace {

constexpr std::size_t copy_step = 65536;

}  // namespace

// As many clusters as need the same and follow each other, in one L2 slice.
Writer::Allocation Writer::plan(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t cluster_size = geometry_.cluster_size();
  const std::uint64_t slice_end =
      round_down(offset, geometry_.slice_span()) + geometry_.slice_span();
  const std::uint64_t end = std::min(offset + length, slice_end);
  Allocation allocation;
  allocation.clusters.begin = round_down(offset, cluster_size);
  for (std::uint64_t at = allocation.clusters.begin; at < end; at += cluster_size) {
    const Entry entry = sound_entry(at);
    const Need need = need_of(entry, {std::max(at, offset), std::min(at + cluster_size, end)});
    if (!allocation.before.empty() && !follows(allocation, need, entry)) {
      break;
    }
    allocation.need = need;
    allocation.before.push_back(entry);
    if (need == Need::nothing) {
      return allocation;
    }
  }
  make_table_writable(offset);
  place(allocation);
  allocation.data = {offset, std::min(end, allocation.clusters.end)};
  set_filled(allocation);
  return allocation;
}

// An entry that points at a table would have it freed, or data written to it.
Entry Writer::sound_entry(std::uint64_t offset) const {
  const Entry entry = map_.entry(offset);
  if (entry.compressed()) {
    const Mapping stored = geometry_.unit(entry, offset);
    check_no_table(stored.host_offset, stored.stored_length);
  } else if (geometry_.has_host_cluster(entry)) {
    check_no_table(entry.host_offset(), geometry_.cluster_size());
  }
  return entry;
}

bool Writer::follows(const Allocation& allocation, Need need, const Entry& entry) const {
  if (need != allocation.need || need == Need::nothing) {
    return false;
  }
  return need == Need::allocate ||
         allocation.before.back().host_offset() + geometry_.cluster_size() == entry.host_offset();
}

Writer::Need Writer::need_of(const Entry& entry, GuestRange range) const {
  if (!geometry_.has_host_cluster(entry) || !entry.copied()) {
    return Need::allocate;
  }
  // Units are subclusters at the smallest, of which there are 32.
  for (std::uint64_t at = range.begin; at < range.end;) {
    const Mapping unit = geometry_.unit(entry, at);
    if (unit.kind != Mapping::Kind::data) {
      return Need::fill;
    }
    at += unit.length;
  }
  return Need::nothing;
}

// Finds the host clusters; fewer than are wanted if no more are free in a row.
void Writer::place(Allocation& allocation) {
  const std::uint64_t cluster_size = geometry_.cluster_size();
  const std::uint64_t begin = allocation.clusters.begin;
  if (geometry_.external_data()) {
    allocation.host = begin;
    const std::uint64_t old_end = files_.data->size();
    grow_data_to(begin + allocation.before.size() * cluster_size);
    allocation.reads_zero = begin >= old_end;
  } else if (allocation.need == Need::fill) {
    allocation.host = allocation.before.front().host_offset();
    grow_data_to(allocation.host + allocation.before.size() * cluster_size);
  } else {
    const HostRun run = space_.allocate(allocation.before.size());
    allocation.host = run.offset;
    allocation.reads_zero = run.reads_zero;
    allocation.before.resize(run.count);
  }
  allocation.clusters.end = begin + allocation.before.size() * cluster_size;
}

void Writer::set_filled(Allocation& allocation) const {
  const std::uint64_t last = allocation.data.end - 1;
  const std::uint64_t head =
      edge_size(allocation, allocation.before.front(), allocation.data.begin);
  const std::uint64_t tail = edge_size(allocation, allocation.before.back(), last);
  allocation.filled = {round_down(allocation.data.begin, head), round_up(last + 1, tail)};
}

// What has to be complete around `offset`: all of a new cluster whose old one held something, else
// one unit; nothing where the unit is there already.
std::uint64_t Writer::edge_size(const Allocation& allocation, const Entry& entry,
                                std::uint64_t offset) const {
  if (allocation.need == Need::allocate) {
    return has_content(entry) ? geometry_.cluster_size() : geometry_.unit_size();
  }
  const bool there = geometry_.unit(entry, offset).kind == Mapping::Kind::data;
  return there ? 1 : geometry_.unit_size();
}

bool Writer::has_content(const Entry& entry) const noexcept {
  if (entry.compressed()) {
    return true;
  }
  if (geometry_.extended()) {
    return (entry.bitmap & bitmap_all_allocated) != 0;
  }
  return geometry_.has_host_cluster(entry) && (entry.word & entry_zero) == 0;
}

std::uint64_t Writer::linked_bitmap(const Allocation& allocation, std::size_t index) const {
  const Entry& before = allocation.before[index];
  if (allocation.need == Need::allocate && has_content(before)) {
    return bitmap_all_allocated;
  }
  const std::uint64_t begin = allocation.clusters.begin + index * geometry_.cluster_size();
  const std::uint64_t filled =
      unit_mask({std::max(begin, allocation.filled.begin),
                 std::min(begin + geometry_.cluster_size(), allocation.filled.end)});
  return (before.bitmap | filled) & ~(filled << subclusters);
}

// The bits of the units that `range`, which is not empty and lies in one cluster, touches.
std::uint64_t Writer::unit_mask(GuestRange range) const noexcept {
  const std::uint64_t first = range.begin % geometry_.cluster_size() / geometry_.unit_size();
  const std::uint64_t last = (range.end - 1) % geometry_.cluster_size() / geometry_.unit_size();
  return ((2ULL << last) - 1) & ~((1ULL << first) - 1);
}

// Makes the L2 table that maps `offset` one that may be changed: new when there is none, copied
// when snapshots share it.
void Writer::make_table_writable(std::uint64_t offset) {
  const std::uint64_t index = map_.l1_index(offset);
  const std::uint64_t entry = map_.l1_entry(index);
  const std::uint64_t old_table = entry & offset_mask;
  if (old_table != 0 && (entry & entry_copied) != 0) {
    return;
  }
  const HostRun place = space_.allocate(1);
  if (old_table != 0) {
    copy_table(old_table, place.offset);
  } else if (!place.reads_zero) {
    files_.file->write_zeros(place.offset, geometry_.cluster_size());
  }
  map_.set_table(index, place.offset);
  metadata_.add(place.offset, geometry_.cluster_size());
  if (old_table != 0) {
    retired_.push_back({old_table, 1, epochs_.now(), no_compressed, false});
  }
}

// A shared table has no changes in memory, as only tables of our own are changed.
void Writer::copy_table(std::uint64_t from, std::uint64_t to) {
  std::array<std::byte, copy_step> buffer;
  const std::uint64_t length = geometry_.cluster_size();
  for (std::uint64_t at = 0; at < length; at += copy_step) {
    const Bytes piece = Bytes(buffer).first(std::min<std::uint64_t>(length - at, copy_step));
    read_padded(*files_.file, from + at, piece);
    files_.file->write(to + at, piece);
  }
}

}  // namespace vimg::qcow2
