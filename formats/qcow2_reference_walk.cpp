#include "formats/qcow2_reference_walk.h"

#include <algorithm>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/qcow2_map.h"
#include "formats/qcow2_snapshots.h"

namespace vimg::qcow2 {
namespace {

constexpr std::uint64_t max_all_l1_bytes = 1U << 30;
constexpr std::size_t max_tables = 1U << 22;
constexpr std::uint64_t l1_reserved = 0x7f000000000001ff;
constexpr std::uint64_t l2_reserved = 0x3f000000000001fe;

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

}  // namespace

std::vector<Entry> read_l2_table(const Disk& file, const Geometry& geometry, std::uint64_t offset) {
  std::vector<std::byte> raw(geometry.cluster_size());
  read_padded(file, offset, raw);
  std::vector<Entry> entries;
  entries.reserve(raw.size() / geometry.entry_size());
  for (std::size_t at = 0; at < raw.size(); at += geometry.entry_size()) {
    Entry entry;
    entry.word = load<be64>(ConstBytes(raw), at);
    entry.bitmap = geometry.extended() ? load<be64>(ConstBytes(raw), at + sizeof(be64)).value() : 0;
    entries.push_back(entry);
  }
  return entries;
}

ReferenceWalk::ReferenceWalk(const Header& header, const Disk& file, ReferenceVisitor& visitor)
    : header_(header), geometry_(header), file_(file), visitor_(visitor) {}

void ReferenceWalk::run() {
  visitor_.refer(0, 1, 1);
  visit_l1(header_.l1_offset, header_.l1_count, true);
  visit_snapshots();
  visit_bitmaps();
  for (const auto& [offset, use] : tables_) {
    visit_table(offset, use);
  }
}

void ReferenceWalk::visit_l1(std::uint64_t offset, std::uint64_t count, bool active) {
  l1_bytes_ += count * sizeof(be64);
  if (l1_bytes_ > max_all_l1_bytes) {
    throw_unsupported(layer, fmt::format("L1 tables of more than {:#x} bytes are too many to "
                                         "count references from",
                                         max_all_l1_bytes));
  }
  const auto l1 = read_l1(file_, offset, count);
  if (count > 0) {
    visitor_.refer(offset, count * sizeof(be64), 1);
  }
  for (const std::uint64_t word : l1) {
    if ((word & offset_mask) != 0) {
      note_table(word, active);
    }
  }
}

void ReferenceWalk::note_table(std::uint64_t word, bool active) {
  if ((word & l1_reserved) != 0) {
    visitor_.broken(fmt::format("L1 entry {:#018x} has reserved bits set", word), 1);
  }
  const std::uint64_t offset = word & offset_mask;
  if (offset % header_.cluster_size() != 0 || offset >= file_.size()) {
    visitor_.broken(
        fmt::format("L2 table at {:#x} is not at a cluster's start in the file", offset), 1);
    return;
  }
  TableUse& use = tables_[offset];
  if (tables_.size() > max_tables) {
    throw_unsupported(layer, fmt::format("more than {} L2 tables are too many", max_tables));
  }
  ++use.times;
  use.active += active ? 1 : 0;
}

void ReferenceWalk::visit_table(std::uint64_t offset, const TableUse& use) {
  visitor_.refer(offset, header_.cluster_size(), use.times);
  for (const Entry& entry : read_l2_table(file_, geometry_, offset)) {
    visit_entry(entry, use);
  }
}

void ReferenceWalk::visit_entry(const Entry& entry, const TableUse& use) {
  if (entry.compressed()) {
    visit_compressed(entry, use);
    return;
  }
  if ((entry.word & l2_reserved) != 0) {
    visitor_.broken(fmt::format("L2 entry {:#018x} has reserved bits set", entry.word), use.times);
  }
  if (geometry_.has_host_cluster(entry)) {
    visit_standard(entry, use);
  } else if ((entry.bitmap & bitmap_all_allocated) != 0) {
    visitor_.broken("an L2 entry has data in subclusters but no cluster", use.times);
  }
}

void ReferenceWalk::visit_compressed(const Entry& entry, const TableUse& use) {
  if (entry.copied()) {
    visitor_.broken(
        fmt::format("L2 entry {:#018x} is compressed and must not be marked as copied", entry.word),
        use.times);
  }
  if (geometry_.external_data() || entry.bitmap != 0) {
    visitor_.broken(fmt::format("L2 entry {:#018x} is compressed, which {} excludes", entry.word,
                                geometry_.external_data() ? "an external data file" : "its bitmap"),
                    use.times);
    return;
  }
  Entry plain = entry;
  plain.word &= ~entry_copied;
  const CompressedPlace stored = geometry_.compressed_place(plain);
  visitor_.refer(stored.offset, stored.length, use.times);
  visitor_.allocated(entry, use.active);
}

void ReferenceWalk::visit_standard(const Entry& entry, const TableUse& use) {
  if ((entry.bitmap & entry.bitmap >> subclusters & bitmap_all_allocated) != 0) {
    visitor_.broken(fmt::format("cluster at {:#x} has subclusters that are both data and zero",
                                entry.host_offset()),
                    use.times);
    return;
  }
  visitor_.allocated(entry, use.active);
  if (entry.host_offset() % header_.cluster_size() != 0) {
    visitor_.broken(fmt::format("L2 entry {:#018x} is not at a cluster's start", entry.word),
                    use.times);
  }
  if (!geometry_.external_data()) {
    visitor_.refer(entry.host_offset(), header_.cluster_size(), use.times);
  }
}

void ReferenceWalk::visit_snapshots() {
  const auto snapshots = read_snapshots(file_, header_);
  if (snapshots.empty()) {
    return;
  }
  visitor_.refer(header_.snapshots_offset, snapshots.back().table_length, 1);
  for (const Snapshot& snapshot : snapshots) {
    visit_l1(snapshot.l1_offset, snapshot.l1_count, false);
  }
}

// Inconsistent ones are nobody's any more.
void ReferenceWalk::visit_bitmaps() {
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
  visitor_.refer(directory.offset, directory.length, 1);
  std::uint64_t at = 0;
  // Each entry takes bytes of the directory.
  while (fits(at, sizeof(RawBitmap), content.size())) {
    const auto raw = load<RawBitmap>(ConstBytes(content), at);
    visit_bitmap_table(raw.table_offset, raw.table_count);
    at = round_up(at + sizeof(raw) + raw.name_length + raw.extra_length, 8);
  }
}

void ReferenceWalk::visit_bitmap_table(std::uint64_t offset, std::uint64_t count) {
  const auto table = read_table<be64>(file_, offset, count, max_l1_bytes, layer, "bitmap table");
  if (count > 0) {
    visitor_.refer(offset, count * sizeof(be64), 1);
  }
  for (const std::uint64_t entry : table) {
    if ((entry & offset_mask) != 0) {
      visitor_.refer(entry & offset_mask, header_.cluster_size(), 1);
    }
  }
}

}  // namespace vimg::qcow2
