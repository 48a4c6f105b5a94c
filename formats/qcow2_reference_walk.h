// ReferenceWalk: follows every table of a qcow2 image but the refcounts.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "disk/disk.h"
#include "formats/qcow2_entry.h"
#include "formats/qcow2_header.h"

namespace vimg::qcow2 {

// What is told of a walk.  What is reached through L1 tables may be told once for `times` of them.
class ReferenceVisitor {
 public:
  virtual ~ReferenceVisitor() = default;

  // The clusters that [offset, offset + length) touches are referred to.
  virtual void refer(std::uint64_t offset, std::uint64_t length, std::uint32_t times) = 0;
  // Something is broken; the walk goes on past it.
  virtual void broken(const std::string& finding, std::uint32_t times) = 0;
  // An L2 entry that has data or space of its own, in `active` tables of the current state.
  virtual void allocated(const Entry& /*entry*/, std::uint32_t /*active*/) {}
};

// How many L1 entries name an L2 table: all, and those of the current state.
struct TableUse {
  std::uint32_t times = 0;
  std::uint32_t active = 0;
};

class ReferenceWalk {
 public:
  ReferenceWalk(const Header& header, const Disk& file, ReferenceVisitor& visitor);

  // Each table is read once, however often it is named, so the work is bounded by the file.
  // Throws Error(EUCLEAN) when the L1, snapshot or bitmap tables cannot be read at all,
  // Error(EOPNOTSUPP) when there are more tables than memory allows.
  void run();

  // Every L2 table that is at a cluster's start in the file.
  const std::map<std::uint64_t, TableUse>& tables() const noexcept { return tables_; }

 private:
  void visit_l1(std::uint64_t offset, std::uint64_t count, bool active);
  void note_table(std::uint64_t word, bool active);
  void visit_table(std::uint64_t offset, const TableUse& use);
  void visit_entry(const Entry& entry, const TableUse& use);
  void visit_compressed(const Entry& entry, const TableUse& use);
  void visit_standard(const Entry& entry, const TableUse& use);
  void visit_snapshots();
  void visit_bitmaps();
  void visit_bitmap_table(std::uint64_t offset, std::uint64_t count);

  const Header& header_;
  const Geometry geometry_;
  const Disk& file_;
  ReferenceVisitor& visitor_;
  std::map<std::uint64_t, TableUse> tables_;
  std::uint64_t l1_bytes_ = 0;  // of all L1 tables
};

// The entries of one L2 table, as far as it lies in the file.
std::vector<Entry> read_l2_table(const Disk& file, const Geometry& geometry, std::uint64_t offset);

}  // namespace vimg::qcow2
