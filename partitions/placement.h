// Placement: holding what a table says against the disk it is on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vimg {

struct Partition;

// Bytes, inside the disk.
struct Range {
  std::uint64_t offset;
  std::uint64_t length;
};

// The part of `count` sectors from sector `start` that lies on a disk of `disk_size` bytes, as the
// kernel has it: nothing when it begins beyond the end, clipped when it ends there.  Both are said
// in `problems`; `who` begins the sentence ("gpt: partition 3").
std::optional<Range> place(std::uint64_t start, std::uint64_t count, std::uint32_t sector_size,
                           std::uint64_t disk_size, const std::string& who,
                           std::vector<std::string>& problems);

// Says which of `partitions` overlap their neighbour on the disk.  `scheme` begins the sentences.
void report_overlaps(const std::vector<Partition>& partitions, const char* scheme,
                     std::vector<std::string>& problems);

}  // namespace vimg
