// Partition tables in words, for comparing and for messages.
#pragma once

#include <string>
#include <vector>

#include "partitions/scheme.h"

namespace vimg::test {

// "1:2048+4096" for each partition, in sectors of the table, joined by blanks.
inline std::string places(const PartitionTable& table) {
  std::string text;
  for (const Partition& partition : table.partitions) {
    text += (text.empty() ? "" : " ") + std::to_string(partition.number) + ":" +
            std::to_string(partition.offset / table.sector_size) + "+" +
            std::to_string(partition.length / table.sector_size);
  }
  return text;
}

// One problem a line.
inline std::string problems(const PartitionTable& table) {
  std::string text;
  for (const std::string& problem : table.problems) {
    text += problem + "\n";
  }
  return text;
}

}  // namespace vimg::test
