// What holds for every partition table, whatever was read.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/memory_disk.h"
#include "partitions/scheme.h"

namespace vimg {

// Reads `content` as a disk by the scheme called `name`; aborts when a partition leaves the disk.
inline void check_scheme(std::string_view name, std::span<const std::byte> content) {
  const DiskPtr disk = make_memory_disk({content.begin(), content.end()});
  for (const PartitionScheme* scheme : partition_schemes()) {
    if (name != scheme->name) {
      continue;
    }
    try {
      const auto table = scheme->read(*disk);
      for (const Partition& partition : table.value_or(PartitionTable{}).partitions) {
        if (!fits(partition.offset, partition.length, content.size())) {
          std::abort();
        }
      }
    } catch (const Error&) {
      return;
    }
  }
}

}  // namespace vimg
