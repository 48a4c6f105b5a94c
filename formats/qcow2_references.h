// References: how often each host cluster of a qcow2 image is referred to, found by following every
// table.
#pragma once

#include <cstdint>
#include <vector>

#include "disk/disk.h"
#include "formats/qcow2_header.h"
#include "formats/qcow2_reference_walk.h"

namespace vimg::qcow2 {

class References final : private ReferenceVisitor {
 public:
  // Follows everything but the refcount structures.  Throws Error(EUCLEAN) when a table is broken,
  // Error(EOPNOTSUPP) when there is more to count than memory or patience allow.
  References(const Header& header, const Disk& file);

  // Of each cluster from the file's first; those beyond have none.
  std::vector<std::uint32_t>& counts() noexcept { return counts_; }

  // Counts the clusters that [offset, offset + length) touches, `times` each.
  void add(std::uint64_t offset, std::uint64_t length, std::uint32_t times);

 private:
  void refer(std::uint64_t offset, std::uint64_t length, std::uint32_t times) override {
    add(offset, length, times);
  }
  void broken(const std::string& finding, std::uint32_t times) override;

  const Header& header_;
  const Disk& file_;
  const std::uint64_t max_clusters_;
  std::vector<std::uint32_t> counts_;
};

}  // namespace vimg::qcow2
