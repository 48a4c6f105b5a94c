#include "formats/qcow2_create.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/qcow2_layout.h"
#include "formats/qcow2_options.h"

namespace vimg {
namespace qcow2 {
namespace {

constexpr std::size_t buffer_size = 1U << 20;

// What lies where in the new file, all offsets; each follows the one before it.
struct Layout {
  std::uint64_t refcount_table;
  std::uint64_t refcount_table_clusters;
  std::uint64_t refcount_blocks;
  std::uint64_t refcount_block_count;
  std::uint64_t l1;
  std::uint64_t l2;        // the tables, when all is allocated beforehand
  std::uint64_t l2_count;  // else 0
  std::uint64_t data;
  std::uint64_t clusters;  // in the whole file
};

// How many clusters the blocks and the table take that count `others` and themselves.  Both grow
// with what they count, by less than it grows, so this ends.
void place_refcounts(const NewOptions& options, std::uint64_t others, Layout& layout) {
  const std::uint64_t cluster_size = options.cluster_size();
  const std::uint64_t per_block = cluster_size * 8 >> options.refcount_order;
  layout.clusters = others;
  for (;;) {
    layout.refcount_block_count = divide_up(layout.clusters, per_block);
    layout.refcount_table_clusters =
        divide_up(layout.refcount_block_count * sizeof(be64), cluster_size);
    const std::uint64_t clusters =
        others + layout.refcount_block_count + layout.refcount_table_clusters;
    if (layout.refcount_table_clusters * cluster_size > max_refcount_bytes) {
      throw_error(EINVAL, layer,
                  fmt::format("preallocated, {:#x} bytes are more than clusters of {} bytes can "
                              "count",
                              options.size, cluster_size));
    }
    if (std::exchange(layout.clusters, clusters) == clusters) {
      return;
    }
  }
}

Layout lay_out(const NewOptions& options) {
  const std::uint64_t cluster_size = options.cluster_size();
  const std::uint64_t l1_clusters = divide_up(options.l1_count() * sizeof(be64), cluster_size);
  const bool is_full = options.preallocation != Preallocation::off;
  const std::uint64_t data_clusters = is_full ? divide_up(options.size, cluster_size) : 0;
  Layout layout{};
  layout.l2_count = is_full ? options.l1_count() : 0;
  place_refcounts(options, 1 + l1_clusters + layout.l2_count + data_clusters, layout);
  layout.refcount_table = cluster_size;
  layout.refcount_blocks = layout.refcount_table + layout.refcount_table_clusters * cluster_size;
  layout.l1 = layout.refcount_blocks + layout.refcount_block_count * cluster_size;
  layout.l2 = layout.l1 + l1_clusters * cluster_size;
  layout.data = layout.l2 + layout.l2_count * cluster_size;
  return layout;
}

// Writes `count` entries of a table at `offset`, the i-th of which is entry(i).
template <typename Entry>
void write_entries(Disk& file, std::uint64_t offset, std::uint64_t count, Entry&& entry) {
  std::vector<be64> buffer;
  for (std::uint64_t i = 0; i < count;) {
    buffer.clear();
    while (i < count && buffer.size() < buffer_size / sizeof(be64)) {
      buffer.push_back(entry(i++));
    }
    file.write(offset, std::as_bytes(std::span(buffer)));
    offset += buffer.size() * sizeof(be64);
  }
}

// A byte of counts that are all one.
std::byte ones(std::uint32_t order, std::uint64_t at) noexcept {
  constexpr std::array narrow{std::byte{0xff}, std::byte{0x55}, std::byte{0x11}, std::byte{1}};
  if (order <= 3) {
    return narrow[order];
  }
  // Big-endian: the last byte of each count.
  const std::uint64_t width = 1U << (order - 3);
  return std::byte(at % width == width - 1 ? 1 : 0);
}

// `count` refcounts of one.
void write_refcounts(Disk& file, std::uint64_t offset, std::uint64_t count, std::uint32_t order) {
  const std::uint64_t bits = count << order;
  std::vector<std::byte> buffer(std::min<std::uint64_t>(divide_up(bits, 8), buffer_size));
  for (std::size_t i = 0; i < buffer.size(); ++i) {
    buffer[i] = ones(order, i);
  }
  for (std::uint64_t at = 0; at < bits / 8; at += buffer.size()) {
    const std::uint64_t length = std::min<std::uint64_t>(buffer.size(), bits / 8 - at);
    file.write(offset + at, ConstBytes(buffer).first(length));
  }
  if (const std::uint64_t rest = bits % 8; rest != 0) {
    const std::byte last = ones(order, 0) & std::byte((1U << rest) - 1);
    file.write(offset + bits / 8, bytes_of(last));
  }
}

// The content of clusters with extended entries is none yet: their bitmaps stay clear.
void write_l2_tables(Disk& file, const NewOptions& options, const Layout& layout) {
  const std::uint64_t data_clusters = divide_up(options.size, options.cluster_size());
  const std::uint64_t words = options.extended_l2 ? 2 : 1;
  write_entries(file, layout.l2, data_clusters * words, [&](std::uint64_t i) {
    const std::uint64_t host = layout.data + i / words * options.cluster_size();
    return i % words == 0 ? be64(host | entry_copied) : be64(0);
  });
  write_entries(file, layout.l1, layout.l2_count, [&](std::uint64_t i) {
    return be64((layout.l2 + i * options.cluster_size()) | entry_copied);
  });
}

void fill_data(Disk& file, const NewOptions& options, const Layout& layout) {
  const std::uint64_t end = layout.clusters * options.cluster_size();
  if (options.preallocation == Preallocation::falloc) {
    file.write_zeros(layout.data, end - layout.data);
  } else if (options.preallocation == Preallocation::full) {
    const std::vector<std::byte> zeros(buffer_size);
    for (std::uint64_t at = layout.data; at < end; at += zeros.size()) {
      file.write(at, ConstBytes(zeros).first(std::min<std::uint64_t>(zeros.size(), end - at)));
    }
  }
}

void write_image(Disk& file, const NewOptions& options) {
  const Layout layout = lay_out(options);
  const std::vector<std::byte> header =
      header_bytes(options, {layout.l1, layout.refcount_table, layout.refcount_table_clusters});
  file.resize(layout.clusters * options.cluster_size());
  write_refcounts(file, layout.refcount_blocks, layout.clusters, options.refcount_order);
  write_entries(file, layout.refcount_table, layout.refcount_block_count, [&](std::uint64_t i) {
    return be64(layout.refcount_blocks + i * options.cluster_size());
  });
  if (layout.l2_count > 0) {
    write_l2_tables(file, options, layout);
    fill_data(file, options, layout);
  }
  // Last, so that a file cut short by a crash is not taken for an image.
  file.flush();
  file.write(0, header);
  file.flush();
}

}  // namespace

void create(Disk& file, NewImage image) {
  if (file.size() != 0) {
    throw_error(EINVAL, layer, "the file for a new image is not empty");
  }
  write_image(file, new_options(std::move(image)));
}

}  // namespace qcow2

void create_qcow2_overlay(Disk& file, std::string_view backing_file,
                          std::string_view backing_format, std::uint64_t size) {
  if (backing_file.empty()) {
    throw_error(EINVAL, qcow2::layer, "an overlay needs a backing file");
  }
  NewImage image;
  image.size = size;
  image.backing_file = backing_file;
  image.backing_format = backing_format;
  qcow2::create(file, std::move(image));
}

}  // namespace vimg
