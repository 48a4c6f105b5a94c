#include "formats/qcow2_references.h"

#include <algorithm>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/qcow2_map.h"
#include "formats/qcow2_snapshots.h"
#include "formats/qcow2_table_cache.h"

namespace vimg::qcow2 {
namespace {

constexpr std::uint64_t max_counted_clusters = 1U << 27;  // 512 MiB of counts
constexpr std::uint64_t max_all_l1_bytes = 1U << 30;
// What may be allocated at the file's end without being written.
constexpr std::uint64_t clusters_beyond_end = 1U << 20;
constexpr std::uint32_t max_references = ~std::uint32_t{0};

// Spec: "Bitmap directory".
struct RawBitmap {
  be64 table_offset;
  be32 table_count;  // entries
  be32 flags;
  std::uint8_t type;
  std::uint8_t granularity_bits;
  be16 name_length;
  be32 extra_length;
};
static_assert(sizeof(RawBitmap) == 24 && OnDisk<RawBitmap>);

std::uint64_t clusters_to_count(const Header& header, const Disk& file) {
  const std::uint64_t clusters = divide_up(file.size(), header.cluster_size());
  if (clusters > max_counted_clusters) {
    throw_unsupported(layer, fmt::format("refcounts of {} clusters are too many to rebuild; run "
                                         "qemu-img check -r all",
                                         clusters));
  }
  return clusters;
}

}  // namespace

References::References(const Header& header, const Disk& file)
    : header_(header),
      geometry_(header),
      file_(file),
      max_clusters_(clusters_to_count(header, file) + clusters_beyond_end),
      counts_(max_clusters_ - clusters_beyond_end) {
  add(0, 1, 1);
  add_l1(header.l1_offset, header.l1_count);
  add_snapshots();
  add_bitmaps();
  add_tables();
}

void References::add(std::uint64_t offset, std::uint64_t length, std::uint32_t times) {
  const std::uint64_t first = offset >> header_.cluster_bits;
  const std::uint64_t end = divide_up(offset + length, header_.cluster_size());
  if (end > max_clusters_) {
    throw_corrupt(layer, fmt::format("a table refers to {:#x} (+{:#x}), far beyond the file end "
                                     "{:#x}",
                                     offset, length, file_.size()));
  }
  counts_.resize(std::max<std::size_t>(counts_.size(), end));
  for (std::uint64_t cluster = first; cluster < end; ++cluster) {
    if (counts_[cluster] > max_references - times) {
      throw_corrupt(layer, fmt::format("the cluster at {:#x} is referred to too often", offset));
    }
    counts_[cluster] += times;
  }
}

void References::add_l1(std::uint64_t offset, std::uint64_t count) {
  l1_bytes_ += count * sizeof(be64);
  if (l1_bytes_ > max_all_l1_bytes) {
    throw_unsupported(layer, fmt::format("L1 tables of more than {:#x} bytes are too many to "
                                         "rebuild refcounts from",
                                         max_all_l1_bytes));
  }
  const auto l1 = read_l1(file_, offset, count);
  if (count > 0) {
    add(offset, count * sizeof(be64), 1);
  }
  for (const std::uint64_t entry : l1) {
    if ((entry & offset_mask) != 0) {
      ++tables_[entry & offset_mask];
    }
  }
}

// Each table is read once, however many L1 entries name it, so the work is bounded by the file.
void References::add_tables() {
  std::vector<std::byte> table(header_.cluster_size());
  for (const auto& [offset, times] : tables_) {
    if (offset % header_.cluster_size() != 0 || offset >= file_.size()) {
      throw_corrupt(
          layer, fmt::format("L2 table at {:#x} is not at a cluster's start in the file", offset));
    }
    add(offset, header_.cluster_size(), times);
    read_padded(file_, offset, table);
    for (std::size_t at = 0; at < table.size(); at += geometry_.entry_size()) {
      Entry entry;
      entry.word = load<be64>(ConstBytes(table), at);
      add_entry(entry, times);
    }
  }
}

void References::add_entry(const Entry& entry, std::uint32_t times) {
  if (entry.compressed()) {
    const Mapping stored = geometry_.unit(entry, 0);
    add(stored.host_offset, stored.stored_length, times);
  } else if (geometry_.has_host_cluster(entry) && !geometry_.external_data()) {
    if (entry.host_offset() % header_.cluster_size() != 0) {
      throw_corrupt(layer,
                    fmt::format("L2 entry {:#018x} is not at a cluster's start", entry.word));
    }
    add(entry.host_offset(), header_.cluster_size(), times);
  }
}

void References::add_snapshots() {
  const auto snapshots = read_snapshots(file_, header_);
  if (snapshots.empty()) {
    return;
  }
  add(header_.snapshots_offset, snapshots.back().table_length, 1);
  for (const Snapshot& snapshot : snapshots) {
    add_l1(snapshot.l1_offset, snapshot.l1_count);
  }
}

// Inconsistent ones are nobody's any more.
void References::add_bitmaps() {
  if (!header_.bitmaps || (header_.autoclear & autoclear_bitmaps) == 0) {
    return;
  }
  const BitmapDirectory& directory = *header_.bitmaps;
  if (directory.count > max_bitmaps) {
    throw_corrupt(layer,
                  fmt::format("{} bitmaps; at most {} are possible", directory.count, max_bitmaps));
  }
  const auto content = read_table<std::byte>(file_, directory.offset, directory.length,
                                             max_bitmap_directory, layer, "bitmap directory");
  add(directory.offset, directory.length, 1);
  std::uint64_t at = 0;
  // Each entry takes bytes of the directory.
  while (fits(at, sizeof(RawBitmap), content.size())) {
    const auto raw = load<RawBitmap>(ConstBytes(content), at);
    add_bitmap_table(raw.table_offset, raw.table_count);
    at = round_up(at + sizeof(raw) + raw.name_length + raw.extra_length, 8);
  }
}

void References::add_bitmap_table(std::uint64_t offset, std::uint64_t count) {
  const auto table = read_table<be64>(file_, offset, count, max_l1_bytes, layer, "bitmap table");
  if (count > 0) {
    add(offset, count * sizeof(be64), 1);
  }
  for (const std::uint64_t entry : table) {
    if ((entry & offset_mask) != 0) {
      add(entry & offset_mask, header_.cluster_size(), 1);
    }
  }
}

}  // namespace vimg::qcow2
