// The logical partitions of an MBR: the chain of extended boot records.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "disk/disk.h"
#include "partitions/mbr_sector.h"

namespace vimg {

// Sectors, from the start of the disk; not yet held against its end.
struct LogicalPartition {
  std::uint64_t start;
  std::uint64_t count;
  MbrEntry entry;
};

// Follows the chains of all extended partitions of one disk.
class LogicalChain {
 public:
  // What is odd is said in `problems`, which must outlive this.
  LogicalChain(const Disk& disk, std::uint32_t sector_size, std::vector<std::string>& problems);

  // The logical partitions in the chain that begins at `extended`, an entry of the MBR, in its
  // order.  Throws only what Disk::read throws.
  std::vector<LogicalPartition> follow(const MbrEntry& extended);

 private:
  bool may_visit(std::uint64_t sector);

  const Disk& disk_;
  const std::uint32_t sector_size_;
  std::vector<std::string>& problems_;
  std::set<std::uint64_t> visited_;  // sectors of all records so far
};

}  // namespace vimg
