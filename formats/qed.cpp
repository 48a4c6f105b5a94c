// qed: QEMU Enhanced Disk, read-only.
//
// Spec: qemu docs/interop/qed_spec.rst.  All integers are little-endian, offsets are in bytes.
#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "disk/cached_disk.h"
#include "disk/checked.h"
#include "disk/error.h"
#include "formats/block_disk.h"
#include "formats/driver.h"

namespace vimg {
namespace {

constexpr char layer[] = "qed";
constexpr std::string_view magic("QED\0", 4);
constexpr std::uint32_t min_cluster_size = 1U << 12;  // spec
constexpr std::uint32_t max_cluster_size = 1U << 26;  // spec
constexpr std::uint32_t max_table_size = 16;          // clusters, spec
constexpr std::uint32_t max_backing_name = 1023;      // bytes, QEMU's limit
constexpr std::uint64_t sector = 512;

constexpr std::uint64_t feature_backing_file = 1;
constexpr std::uint64_t feature_need_check = 2;
constexpr std::uint64_t feature_backing_raw = 4;  // BACKING_FORMAT_NO_PROBE
constexpr std::uint64_t known_features =
    feature_backing_file | feature_need_check | feature_backing_raw;

// Spec: "Header structure".
struct RawHeader {
  std::array<char, 4> magic;
  le32 cluster_size;
  le32 table_size;   // clusters of an L1 or L2 table
  le32 header_size;  // clusters
  le64 features;     // unknown bits: the image must not be opened
  le64 compat_features;
  le64 autoclear_features;
  le64 l1_table_offset;
  le64 image_size;
  le32 backing_filename_offset;
  le32 backing_filename_size;
};
static_assert(sizeof(RawHeader) == 64 && OnDisk<RawHeader>);

struct Header {
  std::uint64_t cluster_size;
  std::uint64_t table_entries;
  std::uint64_t header_bytes;
  std::uint64_t l1_offset;
  std::uint64_t size;
  std::uint64_t features;
  std::string backing_file;  // empty: none

  bool has(std::uint64_t feature) const noexcept { return (features & feature) != 0; }
  std::uint64_t table_bytes() const noexcept { return table_entries * sizeof(le64); }
  // Bytes of the disk that one L2 table maps.
  std::uint64_t table_reach() const noexcept { return table_entries * cluster_size; }
};

void validate_sizes(const RawHeader& raw) {
  const std::uint32_t cluster_size = raw.cluster_size;
  if (!std::has_single_bit(cluster_size) || cluster_size < min_cluster_size ||
      cluster_size > max_cluster_size) {
    throw_corrupt(layer, fmt::format("clusters of {:#x} bytes; a power of two from {:#x} to {:#x} "
                                     "is possible",
                                     cluster_size, min_cluster_size, max_cluster_size));
  }
  const std::uint32_t table_size = raw.table_size;
  if (!std::has_single_bit(table_size) || table_size > max_table_size) {
    throw_corrupt(layer,
                  fmt::format("tables of {} clusters; 1, 2, 4, 8 or 16 are possible", table_size));
  }
}

// Throws Error unless every field that later code relies on is in range.
void validate(const RawHeader& raw, std::uint64_t file_size) {
  validate_sizes(raw);
  if (const std::uint64_t unknown = raw.features & ~known_features; unknown != 0) {
    throw_unsupported(layer, fmt::format("unknown feature bit {}", std::countr_zero(unknown)));
  }
  const std::uint64_t cluster_size = raw.cluster_size;
  const std::uint64_t table_bytes = raw.table_size * cluster_size;
  if (raw.l1_table_offset % cluster_size != 0 ||
      !fits(raw.l1_table_offset, table_bytes, file_size)) {
    throw_corrupt(layer, fmt::format("L1 table at {:#x} (+{:#x}) is not aligned or lies beyond the "
                                     "file end {:#x}",
                                     raw.l1_table_offset.value(), table_bytes, file_size));
  }
  const std::uint64_t entries = table_bytes / sizeof(le64);
  const auto reach = checked_mul(entries * entries, cluster_size);
  if (raw.image_size % sector != 0 || (reach && raw.image_size > *reach) ||
      raw.image_size > std::uint64_t(INT64_MAX)) {
    throw_corrupt(layer, fmt::format("a disk of {:#x} bytes is no multiple of {} or more than the "
                                     "tables map",
                                     raw.image_size.value(), sector));
  }
}

std::string read_backing_name(const Disk& file, const RawHeader& raw) {
  if ((raw.features & feature_backing_file) == 0) {
    return {};
  }
  const std::uint64_t header_bytes = std::uint64_t{raw.header_size} * raw.cluster_size;
  if (raw.backing_filename_size == 0 || raw.backing_filename_size > max_backing_name ||
      !fits(raw.backing_filename_offset, raw.backing_filename_size,
            std::min(header_bytes, file.size()))) {
    throw_corrupt(
        layer, fmt::format("the backing file's name at {:#x} (+{:#x}) lies outside of "
                           "the header",
                           raw.backing_filename_offset.value(), raw.backing_filename_size.value()));
  }
  std::string name(raw.backing_filename_size, '\0');
  file.read(raw.backing_filename_offset, std::as_writable_bytes(std::span(name)));
  return name;
}

Header read_header(const Disk& file) {
  const auto raw = read_object<RawHeader>(file, 0);
  validate(raw, file.size());
  Header header;
  header.cluster_size = raw.cluster_size;
  header.table_entries = raw.table_size * header.cluster_size / sizeof(le64);
  header.header_bytes = std::uint64_t{raw.header_size} * raw.cluster_size;
  header.l1_offset = raw.l1_table_offset;
  header.size = raw.image_size;
  header.features = raw.features;
  header.backing_file = read_backing_name(file, raw);
  return header;
}

// L1 and L2 entries are offsets of clusters; 0 is nothing, and 1 in an L2 table a cluster of zeros.
class QedMap final : public BlockMap {
 public:
  QedMap(Header header, DiskPtr file, std::uint64_t cache_bytes)
      : header_(std::move(header)), tables_(make_cached_disk(std::move(file), cache_bytes)) {}

  BlockRun find(std::uint64_t offset, std::uint64_t max) const override {
    const std::uint64_t reach = header_.table_reach();
    const std::uint64_t length = std::min(max, reach - offset % reach);
    const std::uint64_t table = entry(header_.l1_offset, offset / reach);
    if (table == 0) {
      return {BlockRun::Kind::unmapped, length};
    }
    check_place("L2 table", table, header_.table_bytes());
    return find_in(table, offset, length);
  }

 private:
  std::uint64_t entry(std::uint64_t table, std::uint64_t index) const {
    return read_object<le64>(*tables_, table + index * sizeof(le64));
  }

  void check_place(const char* what, std::uint64_t place, std::uint64_t length) const {
    if (place % header_.cluster_size != 0 || place < header_.header_bytes ||
        !fits(place, length, tables_->size())) {
      throw_corrupt(layer, fmt::format("{} at {:#x} is not aligned, in the header or beyond the "
                                       "file end {:#x}",
                                       what, place, tables_->size()));
    }
  }

  BlockRun run_of(std::uint64_t cluster, std::uint64_t skip, std::uint64_t length) const {
    if (cluster == 0) {
      return {BlockRun::Kind::unmapped, length};
    }
    if (cluster == 1) {
      return {BlockRun::Kind::zero, length};
    }
    check_place("cluster", cluster, 1);
    return {BlockRun::Kind::data, length, cluster + skip};
  }

  // Joins clusters of one kind that follow each other in the file, too; at most a table of them.
  BlockRun find_in(std::uint64_t table, std::uint64_t offset, std::uint64_t max) const {
    const std::uint64_t size = header_.cluster_size;
    const std::uint64_t skip = offset % size;
    std::uint64_t index = offset / size % header_.table_entries;
    BlockRun run = run_of(entry(table, index), skip, std::min(max, size - skip));
    while (run.length < max) {
      const BlockRun next = run_of(entry(table, ++index), 0, std::min(max - run.length, size));
      if (next.kind != run.kind ||
          (run.kind == BlockRun::Kind::data && next.place != run.place + run.length)) {
        break;
      }
      run.length += next.length;
    }
    return run;
  }

  const Header header_;
  const DiskPtr tables_;
};

bool probe(const Disk& file) {
  std::array<std::byte, magic.size()> head{};
  read_padded(file, 0, head);
  return text_of(head) == magic;
}

// An image that does not say that its backing file is raw says that it is not; what QEMU would
// probe for is then this format or nothing that we follow.
DiskPtr open_backing(const Header& header, OpenContext& context) {
  if (header.backing_file.empty()) {
    return nullptr;
  }
  return context.open_image(header.backing_file, header.has(feature_backing_raw) ? "raw" : "qed");
}

DiskPtr open(DiskPtr file, OpenContext& context) {
  if (!context.snapshot().empty()) {
    throw_error(EINVAL, layer, "has no internal snapshots");
  }
  Header header = read_header(*file);
  if (header.has(feature_need_check)) {
    context.warn("qed: the image was not closed properly; its tables may be wrong");
  }
  BlockDiskParts parts;
  parts.size = header.size;
  parts.file = file;
  parts.backing = open_backing(header, context);
  return make_block_disk(
      std::make_unique<QedMap>(std::move(header), std::move(file), context.cache_bytes()),
      std::move(parts));
}

ImageInfo info(const Disk& file) {
  const Header header = read_header(file);
  ImageInfo info;
  info.format = "qed";
  info.virtual_size = header.size;
  if (!header.backing_file.empty()) {
    info.backing_file = header.backing_file;
    info.backing_format = header.has(feature_backing_raw) ? "raw" : "qed";
  }
  info.facts.emplace_back("cluster size", std::to_string(header.cluster_size));
  info.facts.emplace_back("dirty", header.has(feature_need_check) ? "true" : "false");
  return info;
}

}  // namespace

extern const FormatDriver qed_driver;
const FormatDriver qed_driver{"qed", "QEMU Enhanced Disk, read-only", probe, open, info};

}  // namespace vimg
