// Metadata: which host clusters of a qcow2 image hold tables, so that no data is written there.
#pragma once

#include <cstdint>
#include <shared_mutex>
#include <unordered_set>

#include "formats/qcow2_header.h"

namespace vimg::qcow2 {

// A sound image never has data where a table is; one whose entries or refcounts lie could make a
// write destroy it.
//
// Threads: any.
class Metadata {
 public:
  explicit Metadata(std::uint32_t cluster_bits) : cluster_bits_(cluster_bits) {}

  // The clusters that [offset, offset + length) touches hold a table, or no more.
  void add(std::uint64_t offset, std::uint64_t length);
  void remove(std::uint64_t offset, std::uint64_t length);

  // Throws Error(EUCLEAN) when the range touches a table.
  void check_no_table(std::uint64_t offset, std::uint64_t length) const;

 private:
  const std::uint32_t cluster_bits_;
  mutable std::shared_mutex mutex_;  // guards the clusters
  std::unordered_set<std::uint64_t> clusters_;
};

}  // namespace vimg::qcow2
