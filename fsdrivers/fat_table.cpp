#include "fsdrivers/fat_table.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg::fat {
namespace {

constexpr std::uint32_t fat32_mask = 0x0fffffff;  // the upper bits are reserved, and kept
constexpr std::uint64_t window_size = 4096;
constexpr std::uint32_t clusters_at_once = 8192;  // written with one call

}  // namespace

// A part of the FAT, read once for many entries.
class FatTable::Window {
 public:
  explicit Window(const FatTable& table) : table_(table) {}

  std::uint32_t entry(std::uint32_t cluster) {
    const std::uint64_t byte = table_.byte_of(cluster);
    if (length_ == 0 || byte < start_ || byte + table_.width() > start_ + length_) {
      fill(byte);
    }
    return table_.decoded(ConstBytes(bytes_).subspan(std::size_t(byte - start_)), cluster);
  }

 private:
  // An entry of FAT12 may begin in one window and end in the next, so they overlap there.
  void fill(std::uint64_t byte) {
    const std::uint64_t end = table_.geometry_.fat_offset + table_.geometry_.fat_length;
    start_ = round_down(byte, window_size);
    if (byte + table_.width() > start_ + window_size) {
      start_ = byte;
    }
    length_ = std::min(window_size, end - start_);
    table_.tables_->read(start_, Bytes(bytes_).first(std::size_t(length_)));
  }

  const FatTable& table_;
  std::uint64_t start_ = 0;
  std::uint64_t length_ = 0;
  std::array<std::byte, window_size> bytes_{};
};

FatTable::FatTable(DiskPtr tables, const Geometry& geometry)
    : tables_(std::move(tables)), geometry_(geometry) {}

std::uint32_t FatTable::width() const noexcept {
  return geometry_.kind == Kind::fat12 || geometry_.kind == Kind::fat16 ? 2 : 4;
}

std::uint64_t FatTable::byte_of(std::uint32_t cluster) const noexcept {
  const std::uint64_t index =
      geometry_.kind == Kind::fat12 ? cluster + cluster / 2 : std::uint64_t{cluster} * width();
  return geometry_.fat_offset + index;
}

std::uint32_t FatTable::decoded(ConstBytes bytes, std::uint32_t cluster) const noexcept {
  std::uint32_t value = 0;
  std::uint32_t bad = 0;
  if (geometry_.kind == Kind::fat12) {
    const std::uint32_t pair = load<le16>(bytes);
    value = cluster % 2 == 0 ? pair & 0xfffU : pair >> 4;
    bad = 0xff7;
  } else if (geometry_.kind == Kind::fat16) {
    value = load<le16>(bytes);
    bad = 0xfff7;
  } else if (geometry_.kind == Kind::fat32) {
    value = load<le32>(bytes) & fat32_mask;
    bad = 0x0ffffff7;
  } else {
    return load<le32>(bytes);
  }
  return value > bad ? entry_end : value == bad ? entry_bad : value;
}

void FatTable::encode(Bytes bytes, std::uint32_t cluster, std::uint32_t value) const noexcept {
  if (geometry_.kind == Kind::fat12) {
    const std::uint32_t pair = load<le16>(bytes);
    const std::uint32_t twelve = value & 0xfffU;
    store(bytes, 0,
          le16(std::uint16_t(cluster % 2 == 0 ? (pair & 0xf000U) | twelve
                                              : (pair & 0xfU) | twelve << 4)));
  } else if (geometry_.kind == Kind::fat16) {
    store(bytes, 0, le16(std::uint16_t(value)));
  } else if (geometry_.kind == Kind::fat32) {
    store(bytes, 0, le32((load<le32>(bytes) & ~fat32_mask) | (value & fat32_mask)));
  } else {
    store(bytes, 0, le32(value));
  }
}

std::uint32_t FatTable::entry(std::uint32_t cluster) const {
  std::array<std::byte, 4> bytes{};
  tables_->read(byte_of(cluster), Bytes(bytes).first(width()));
  return decoded(bytes, cluster);
}

std::vector<Run> FatTable::chain(std::uint32_t first, std::uint64_t limit) const {
  std::vector<Run> runs;
  Window window(*this);
  std::uint32_t cluster = first;
  // A chain that does not end within all clusters of the volume is a loop.
  for (std::uint64_t count = 0; count < limit; ++count) {
    if (!is_cluster(geometry_, cluster) || count >= geometry_.cluster_count) {
      throw_corrupt(geometry_.layer,
                    fmt::format("the chain from cluster {:#x} leads to {:#x} after {:#x} clusters",
                                first, cluster, count));
    }
    const std::uint64_t offset = offset_of_cluster(geometry_, cluster);
    if (!runs.empty() && runs.back().offset + runs.back().length == offset) {
      runs.back().length += geometry_.cluster_size;
    } else {
      runs.push_back({offset, geometry_.cluster_size});
    }
    cluster = window.entry(cluster);
    if (cluster == entry_end) {
      break;
    }
  }
  return runs;
}

void FatTable::write_range(std::uint32_t first, std::uint32_t count, std::uint32_t step,
                           std::uint32_t last) {
  const std::uint64_t start = byte_of(first);
  std::vector<std::byte> bytes(std::size_t(byte_of(first + count - 1) + width() - start));
  tables_->read(start, bytes);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t cluster = first + i;
    const std::uint32_t value = i + 1 == count ? last : step == 0 ? entry_free : cluster + step;
    encode(Bytes(bytes).subspan(std::size_t(byte_of(cluster) - start)), cluster, value);
  }
  for (std::uint64_t copy = geometry_.mirrors; copy > 0; --copy) {
    tables_->write(start + copy * geometry_.fat_length, bytes);
  }
  tables_->write(start, bytes);
}

void FatTable::link(std::uint32_t first, std::uint32_t count, std::uint32_t last) {
  // The last part first, so that what is on the disk always ends.
  while (count > clusters_at_once) {
    const std::uint32_t part =
        count % clusters_at_once == 0 ? clusters_at_once : count % clusters_at_once;
    write_range(first + count - part, part, 1, last);
    count -= part;
    last = first + count;
  }
  write_range(first, count, 1, last);
}

void FatTable::release(std::uint32_t first, std::uint32_t count) {
  while (count > 0) {
    const std::uint32_t part = std::min(count, clusters_at_once);
    write_range(first, part, 0, entry_free);
    first += part;
    count -= part;
  }
}

FatTable::Clusters FatTable::find_free(std::uint32_t from, std::uint32_t wanted) const {
  Window window(*this);
  const std::uint32_t end = geometry_.cluster_count + first_data_cluster;
  std::uint32_t first = from;
  while (first < end && window.entry(first) != entry_free) {
    ++first;
  }
  std::uint32_t count = 0;
  while (count < wanted && first + count < end && window.entry(first + count) == entry_free) {
    ++count;
  }
  return {first, count};
}

std::uint32_t FatTable::count_free() const {
  Window window(*this);
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < geometry_.cluster_count; ++i) {
    count += window.entry(i + first_data_cluster) == entry_free ? 1 : 0;
  }
  return count;
}

bool FatTable::says_clean() const {
  if (geometry_.kind == Kind::fat16) {
    return (read_object<le16>(*tables_, geometry_.fat_offset + 2) & 0x8000U) != 0;
  }
  return geometry_.kind != Kind::fat32 ||
         (read_object<le32>(*tables_, geometry_.fat_offset + 4) & 0x08000000U) != 0;
}

void FatTable::say(bool clean) {
  if (geometry_.kind != Kind::fat16 && geometry_.kind != Kind::fat32) {
    return;
  }
  const bool wide = geometry_.kind == Kind::fat32;
  const std::uint64_t offset = geometry_.fat_offset + (wide ? 7 : 3);  // the entry's upper byte
  const std::uint8_t bit = wide ? 0x08 : 0x80;
  const auto before = read_object<std::uint8_t>(*tables_, offset);
  const auto after = std::uint8_t(clean ? before | bit : before & ~bit);
  for (std::uint64_t copy = 0; copy <= geometry_.mirrors; ++copy) {
    tables_->write(offset + copy * geometry_.fat_length, bytes_of(after));
  }
}

}  // namespace vimg::fat
