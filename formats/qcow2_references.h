// References: how often each host cluster of a qcow2 image is referred to, found by following every
// table.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "disk/disk.h"
#include "formats/qcow2_entry.h"
#include "formats/qcow2_header.h"

namespace vimg::qcow2 {

class References {
 public:
  // Follows everything but the refcount structures.  Throws Error(EUCLEAN) when a table is broken,
  // Error(EOPNOTSUPP) when there is more to count than memory or patience allow.
  References(const Header& header, const Disk& file);

  // Of each cluster from the file's first; those beyond have none.
  std::vector<std::uint32_t>& counts() noexcept { return counts_; }

  // Counts the clusters that [offset, offset + length) touches, `times` each.
  void add(std::uint64_t offset, std::uint64_t length, std::uint32_t times);

 private:
  void add_l1(std::uint64_t offset, std::uint64_t count);
  void add_tables();
  void add_entry(const Entry& entry, std::uint32_t times);
  void add_snapshots();
  void add_bitmaps();
  void add_bitmap_table(std::uint64_t offset, std::uint64_t count);

  const Header& header_;
  const Geometry geometry_;
  const Disk& file_;
  const std::uint64_t max_clusters_;
  std::vector<std::uint32_t> counts_;
  std::unordered_map<std::uint64_t, std::uint32_t>
      tables_;                  // how many L1 entries name each L2 table
  std::uint64_t l1_bytes_ = 0;  // of all L1 tables
};

}  // namespace vimg::qcow2
