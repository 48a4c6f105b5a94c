#include "partitions/placement.h"

#include <algorithm>

#include <fmt/format.h>

#include "disk/checked.h"
#include "partitions/scheme.h"

namespace vimg {

std::optional<Range> place(std::uint64_t start, std::uint64_t count, std::uint32_t sector_size,
                           std::uint64_t disk_size, const std::string& who,
                           std::vector<std::string>& problems) {
  const auto offset = checked_mul(start, sector_size);
  if (!offset || *offset >= disk_size) {
    problems.push_back(
        fmt::format("{} begins at sector {}, beyond the disk's end {:#x}", who, start, disk_size));
    return std::nullopt;
  }
  const auto length = checked_mul(count, sector_size);
  if (!length || !fits(*offset, *length, disk_size)) {
    problems.push_back(fmt::format("{} (sector {} +{}) ends beyond the disk's end {:#x}; cut short",
                                   who, start, count, disk_size));
    return Range{*offset, disk_size - *offset};
  }
  return Range{*offset, *length};
}

void report_overlaps(const std::vector<Partition>& partitions, const char* scheme,
                     std::vector<std::string>& problems) {
  std::vector<const Partition*> by_offset;
  by_offset.reserve(partitions.size());
  for (const Partition& partition : partitions) {
    by_offset.push_back(&partition);
  }
  std::ranges::sort(by_offset, {}, [](const Partition* p) { return p->offset; });
  // The one that reaches farthest so far is what the next can overlap.
  const Partition* farthest = nullptr;
  for (const Partition* partition : by_offset) {
    if (farthest != nullptr && partition->offset < farthest->offset + farthest->length) {
      problems.push_back(fmt::format("{}: partitions {} and {} overlap at {:#x}", scheme,
                                     farthest->number, partition->number, partition->offset));
    }
    if (farthest == nullptr ||
        partition->offset + partition->length > farthest->offset + farthest->length) {
      farthest = partition;
    }
  }
}

}  // namespace vimg
