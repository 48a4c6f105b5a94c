#include "formats/qcow2_refcounts.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "formats/qcow2_entry.h"

namespace vimg::qcow2 {
namespace {

// Spec: "Host cluster management": counts narrower than a byte begin at its low bits.
std::uint64_t count_at(ConstBytes slice, std::uint64_t index, std::uint32_t order) noexcept {
  switch (order) {
    case 3:
      return std::uint64_t(slice[index]);
    case 4:
      return load<be16>(slice, index * 2);
    case 5:
      return load<be32>(slice, index * 4);
    case 6:
      return load<be64>(slice, index * 8);
    default: {
      const std::uint64_t bit = index << order;
      const std::uint64_t mask = (1U << (1U << order)) - 1;
      return std::uint64_t(slice[bit / 8]) >> bit % 8 & mask;
    }
  }
}

void set_count_at(Bytes slice, std::uint64_t index, std::uint32_t order, std::uint64_t value) {
  switch (order) {
    case 3:
      slice[index] = std::byte(value);
      break;
    case 4:
      store(slice, index * 2, be16(std::uint16_t(value)));
      break;
    case 5:
      store(slice, index * 4, be32(std::uint32_t(value)));
      break;
    case 6:
      store(slice, index * 8, be64(value));
      break;
    default: {
      const std::uint64_t bit = index << order;
      const std::uint64_t mask = ((1U << (1U << order)) - 1) << bit % 8;
      std::byte& where = slice[bit / 8];
      where = (where & ~std::byte(mask)) | std::byte(value << bit % 8);
    }
  }
}

std::vector<std::uint64_t> read_refcount_table(const Disk& file, const Header& header) {
  if (header.refcount_table_clusters == 0) {
    throw_corrupt(layer, "the image has no refcount table");
  }
  const std::uint64_t entries =
      header.refcount_table_clusters * header.cluster_size() / sizeof(be64);
  const auto raw = read_table<be64>(file, header.refcount_table_offset, entries, max_refcount_bytes,
                                    layer, "refcount table");
  return {raw.begin(), raw.end()};
}

}  // namespace

Refcounts::Refcounts(const Header& header, DiskPtr file, std::uint64_t cache_bytes)
    : file_(std::move(file)),
      cluster_size_(header.cluster_size()),
      order_(header.refcount_order),
      entries_per_block_(cluster_size_ * 8 >> order_),
      entries_per_slice_(Geometry(header).slice_size() * 8 >> order_),
      table_offset_(header.refcount_table_offset),
      table_(read_refcount_table(*file_, header)),
      blocks_(Geometry(header).slice_size(), cache_bytes) {}

std::uint64_t Refcounts::block(std::uint64_t region) const {
  const std::uint64_t offset = region < table_.size() ? table_[region] & refcount_block_mask : 0;
  if (offset % cluster_size_ != 0 || offset >= max_host_offset) {
    throw_corrupt(layer, fmt::format("refcount table entry {}, {:#x}, is not at a cluster's start",
                                     region, offset));
  }
  return offset;
}

std::uint64_t Refcounts::max_count() const noexcept {
  return order_ == 6 ? ~std::uint64_t{0} : (1ULL << (1U << order_)) - 1;
}

Refcounts::Place Refcounts::place(std::uint64_t cluster) const {
  const std::uint64_t index = cluster % entries_per_block_;
  return {block(region_of(cluster)) + index / entries_per_slice_ * blocks_.slice_size(),
          index % entries_per_slice_};
}

ConstBytes Refcounts::load(std::uint64_t cluster, const Place& where) {
  ConstBytes slice = blocks_.find(where.slice);
  if (slice.empty()) {
    blocks_.insert(where.slice, read_slice(*file_, block(region_of(cluster)), where.slice,
                                           blocks_.slice_size(), "refcount block"));
    slice = blocks_.find(where.slice);
  }
  return slice;
}

std::uint64_t Refcounts::get(std::uint64_t cluster) {
  if (block(region_of(cluster)) == 0) {
    return 0;
  }
  const Place where = place(cluster);
  return count_at(load(cluster, where), where.index, order_);
}

bool Refcounts::block_is_sound(std::uint64_t region) const noexcept {
  const std::uint64_t offset = region < table_.size() ? table_[region] & refcount_block_mask : 0;
  return offset % cluster_size_ == 0 && offset < file_->size();
}

std::optional<std::uint64_t> Refcounts::find(std::uint64_t cluster) {
  return block_is_sound(region_of(cluster)) ? std::optional(get(cluster)) : std::nullopt;
}

void Refcounts::set(std::uint64_t cluster, std::uint64_t value) {
  const Place where = place(cluster);
  load(cluster, where);
  set_count_at(blocks_.change(where.slice), where.index, order_, value);
}

Refcounts::Run Refcounts::run(std::uint64_t cluster) {
  const Place where = place(cluster);
  const ConstBytes slice = load(cluster, where);
  const bool free = count_at(slice, where.index, order_) == 0;
  std::uint64_t end = where.index + 1;
  while (end < entries_per_slice_ && (count_at(slice, end, order_) == 0) == free) {
    ++end;
  }
  return {free, end - where.index};
}

void Refcounts::add_block(std::uint64_t region, std::uint64_t offset) {
  // What is held of this place is of its former use.
  blocks_.forget(offset, cluster_size_);
  table_.at(region) = offset;
  changed_entries_.insert(region);
  const std::uint64_t cluster = offset / cluster_size_;
  if (region_of(cluster) == region) {
    // Not read, so that this cannot fail half-way and leave the block's own cluster free.
    blocks_.insert(place(cluster).slice, std::vector<std::byte>(blocks_.slice_size()));
    set(cluster, 1);
  }
}

void Refcounts::resize_table(std::uint64_t regions) {
  table_.resize(regions);
  changed_entries_.erase(changed_entries_.lower_bound(regions), changed_entries_.end());
}

void Refcounts::move_table(std::uint64_t offset) {
  table_offset_ = offset;
  moved_ = true;
}

void Refcounts::write_blocks() {
  const auto slices = blocks_.changed();
  for (const TableCache::Changed& slice : slices) {
    file_->write(slice.offset, slice.content);
  }
  blocks_.mark_written(slices);
}

void Refcounts::write_table() {
  if (!moved_) {
    for (const std::uint64_t region : changed_entries_) {
      file_->write(table_offset_ + region * sizeof(be64), bytes_of(be64(table_[region])));
    }
    changed_entries_.clear();
    return;
  }
  const std::vector<be64> raw(table_.begin(), table_.end());
  file_->write(table_offset_, std::as_bytes(std::span(raw)));
  file_->flush();
  // Both fields change in one write, within one sector.
  struct {
    be64 offset;
    be32 clusters;
  } const fields{table_offset_, std::uint32_t(table_clusters())};
  file_->write(refcount_table_field, bytes_of(fields));
  moved_ = false;
  changed_entries_.clear();
}

}  // namespace vimg::qcow2
