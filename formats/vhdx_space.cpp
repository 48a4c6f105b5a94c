#include "formats/vhdx_space.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg::vhdx {
namespace {

constexpr std::size_t batch = 2048;  // entries, 16 KiB of the BAT

}  // namespace

void visit_bat(const Layout& layout, const Bat& bat,
               const std::function<void(const BatSlot&)>& visit) {
  const std::uint64_t count = layout.entry_count();
  const std::uint64_t in_chunk = layout.chunk_ratio() + 1;
  std::vector<BatEntry> entries(batch);
  for (std::uint64_t first = 0; first < count; first += batch) {
    const std::size_t length = std::min<std::uint64_t>(batch, count - first);
    bat.read(first, std::span(entries).first(length));
    for (std::size_t i = 0; i < length; ++i) {
      const std::uint64_t chunk = (first + i) / in_chunk;
      const bool is_bitmap = (first + i) % in_chunk == in_chunk - 1;
      const std::uint64_t block = first + i - chunk;
      if (is_bitmap ? layout.parent_locator.has_value() : block < layout.block_count()) {
        visit({entries[i], is_bitmap, is_bitmap ? chunk : block});
      }
    }
  }
}

SpaceMap::SpaceMap(const Layout& layout, std::uint64_t file_size) {
  if (file_size > max_file_size) {
    throw_unsupported(layer, fmt::format("file of {:#x} bytes; at most {:#x} are supported",
                                         file_size, max_file_size));
  }
  taken_.resize(divide_up(file_size, mib));
  for (const Region& region : layout.occupied) {
    take(region.offset, region.length);
  }
}

bool SpaceMap::take(std::uint64_t offset, std::uint64_t length) {
  end_ = std::max(end_, offset + length);
  bool was_free = true;
  const std::uint64_t end = std::min<std::uint64_t>((offset + length) / mib, taken_.size());
  for (std::uint64_t i = offset / mib; i < end; ++i) {
    was_free = was_free && !taken_[i];
    taken_[i] = true;
  }
  return was_free;
}

bool SpaceMap::is_taken(std::uint64_t offset) const {
  return offset / mib < taken_.size() && taken_[offset / mib];
}

std::uint64_t SpaceMap::free_at(std::uint64_t offset, std::uint64_t limit) const {
  std::uint64_t end = offset;
  while (end < limit && !is_taken(end)) {
    end += mib;
  }
  return std::min(end, limit) - offset;
}

}  // namespace vimg::vhdx
