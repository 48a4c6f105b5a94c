#include "formats/qcow2_create.h"

#include <array>
#include <cerrno>
#include <vector>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/qcow2_layout.h"

namespace vimg {
namespace qcow2 {
namespace {

constexpr std::uint32_t cluster_bits = 16;
constexpr std::uint64_t cluster_size = 1U << cluster_bits;
constexpr std::uint64_t bytes_per_l1_entry = cluster_size / sizeof(be64) * cluster_size;
constexpr std::uint64_t max_size = max_l1_bytes / sizeof(be64) * bytes_per_l1_entry;

// The order of the clusters in the new file.
constexpr std::uint64_t refcount_table_cluster = 1;
constexpr std::uint64_t refcount_block_cluster = 2;
constexpr std::uint64_t l1_cluster = 3;

// Header cluster, refcount table, refcount block and the longest L1 table (512 clusters) fit into
// what one block of 16-bit refcounts counts.
static_assert(l1_cluster + max_l1_bytes / cluster_size <= cluster_size / sizeof(be16));

void validate(const Disk& file, std::string_view backing_file, std::string_view backing_format,
              std::uint64_t size) {
  if (file.size() != 0) {
    throw_error(EINVAL, layer, "the file for a new image is not empty");
  }
  if (backing_file.empty() || backing_file.size() > max_backing_length) {
    throw_error(EINVAL, layer,
                fmt::format("backing file name of {} bytes; 1 to {} are possible",
                            backing_file.size(), max_backing_length));
  }
  if (backing_format.size() > max_format_length) {
    throw_error(EINVAL, layer,
                fmt::format("backing format name of {} bytes; at most {} are possible",
                            backing_format.size(), max_format_length));
  }
  if (size > max_size) {
    throw_error(EINVAL, layer,
                fmt::format("size {:#x} is beyond the largest image {:#x}", size, max_size));
  }
}

void append(std::vector<std::byte>& out, ConstBytes data) {
  out.insert(out.end(), data.begin(), data.end());
}

void append_extension(std::vector<std::byte>& out, ExtensionType type, ConstBytes data) {
  append(out, bytes_of(ExtensionHeader{std::uint32_t(type), std::uint32_t(data.size())}));
  append(out, data);
  out.resize(round_up(out.size(), 8));
}

// Names for the bits that this code knows, as QEMU writes them, so that readers older than a bit
// can say what they lack.
std::vector<std::byte> feature_names() {
  struct Name {
    std::uint8_t type;  // 0 incompatible, 1 compatible, 2 autoclear
    std::uint8_t bit;
    std::string_view text;
  };
  constexpr std::array<Name, 8> names{{{0, 0, "dirty bit"},
                                       {0, 1, "corrupt bit"},
                                       {0, 2, "external data file"},
                                       {0, 3, "compression type"},
                                       {0, 4, "extended L2 entries"},
                                       {1, 0, "lazy refcounts"},
                                       {2, 0, "bitmaps"},
                                       {2, 1, "raw external data"}}};
  constexpr std::size_t entry_size = 48;
  std::vector<std::byte> table;
  for (const Name& name : names) {
    const std::size_t end = table.size() + entry_size;
    table.push_back(std::byte{name.type});
    table.push_back(std::byte{name.bit});
    append(table, bytes_of(name.text));
    table.resize(end);
  }
  return table;
}

RawHeader header_for(std::string_view backing_file, std::uint64_t size) {
  RawHeader header{};
  header.magic = magic;
  header.version = 3;
  header.backing_length = std::uint32_t(backing_file.size());
  header.cluster_bits = cluster_bits;
  header.size = size;
  header.l1_count = std::uint32_t(divide_up(size, bytes_per_l1_entry));
  header.l1_offset = l1_cluster * cluster_size;
  header.refcount_table_offset = refcount_table_cluster * cluster_size;
  header.refcount_table_clusters = 1;
  header.refcount_order = 4;
  header.header_length = sizeof(RawHeader);
  return header;
}

std::vector<std::byte> first_cluster(std::string_view backing_file, std::string_view backing_format,
                                     std::uint64_t size) {
  std::vector<std::byte> extensions;
  if (!backing_format.empty()) {
    append_extension(extensions, ExtensionType::backing_format, bytes_of(backing_format));
  }
  append_extension(extensions, ExtensionType::feature_names, feature_names());
  append_extension(extensions, ExtensionType::end, {});
  RawHeader header = header_for(backing_file, size);
  header.backing_offset = sizeof(header) + extensions.size();
  std::vector<std::byte> cluster;
  append(cluster, bytes_of(header));
  append(cluster, extensions);
  append(cluster, bytes_of(backing_file));
  return cluster;
}

void write_overlay(Disk& file, std::string_view backing_file, std::string_view backing_format,
                   std::uint64_t size) {
  validate(file, backing_file, backing_format, size);
  const std::vector<std::byte> header = first_cluster(backing_file, backing_format, size);
  const std::uint64_t l1_bytes = divide_up(size, bytes_per_l1_entry) * sizeof(be64);
  const std::uint64_t clusters = l1_cluster + divide_up(l1_bytes, cluster_size);
  file.resize(clusters * cluster_size);
  const std::vector<be16> refcounts(clusters, be16(1));
  file.write(refcount_block_cluster * cluster_size, std::as_bytes(std::span(refcounts)));
  file.write(refcount_table_cluster * cluster_size,
             bytes_of(be64(refcount_block_cluster * cluster_size)));
  // Last, so that a file cut short by a crash is not taken for an image.
  file.flush();
  file.write(0, header);
  file.flush();
}

}  // namespace
}  // namespace qcow2

void create_qcow2_overlay(Disk& file, std::string_view backing_file,
                          std::string_view backing_format, std::uint64_t size) {
  qcow2::write_overlay(file, backing_file, backing_format, size);
}

}  // namespace vimg
