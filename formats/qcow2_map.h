// ClusterMap: from guest offsets to where a qcow2 image stores them, through L1 and L2 tables.
#pragma once

#include <cstdint>
#include <set>
#include <shared_mutex>
#include <span>
#include <vector>

#include "disk/disk.h"
#include "formats/qcow2_entry.h"
#include "formats/qcow2_table_cache.h"

namespace vimg::qcow2 {

// Threads: find() and entry() from any; what changes the map from one at a time, beside those.
// No lock is held while a table is read.
class ClusterMap {
 public:
  // `l1` in host byte order, from `l1_offset` of `file`.  `cache_bytes` bounds the L2 slices held.
  ClusterMap(const Geometry& geometry, DiskPtr file, std::uint64_t l1_offset,
             std::vector<std::uint64_t> l1, std::uint64_t cache_bytes);

  // The run at `offset`, at most `max` bytes (which is not 0) long; it may be shorter than it could
  // be.  Throws Error(EUCLEAN) when a table is broken, or as Disk::read.
  Mapping find(std::uint64_t offset, std::uint64_t max) const;

  // The L2 entry of the guest cluster that holds `offset`; empty without an L2 table.
  Entry entry(std::uint64_t offset) const;

  std::uint64_t l1_index(std::uint64_t offset) const noexcept {
    return offset >> geometry_.l2_span_bits();
  }
  // Throws Error(EUCLEAN) when the entry is broken.
  std::uint64_t l1_entry(std::uint64_t index) const;

  // Points an L1 entry at the L2 table at `table`, whose refcount is one and whose content is in
  // the file.
  void set_table(std::uint64_t index, std::uint64_t table);
  // Changes the entries of the clusters from the one that holds `offset`; they lie in one slice of
  // an L2 table that may be changed.
  void set_entries(std::uint64_t offset, std::span<const Entry> entries);
  // The same for one slice's worth of reading beforehand, so that set_entries() cannot fail for
  // want of it unless it is called much later.
  void load_for_change(std::uint64_t offset);

  bool tables_changed() const noexcept { return tables_.changed_bytes() > 0; }
  bool l1_changed() const noexcept { return !changed_l1_.empty(); }
  std::uint64_t changed_bytes() const noexcept { return tables_.changed_bytes(); }
  void write_back_tables();
  void write_back_l1();

 private:
  struct Place {
    std::uint64_t table;
    std::uint64_t slice;  // offset in the file
    std::uint64_t index;  // in the slice
  };

  std::uint64_t checked_l1(std::uint64_t index) const;
  Place place(std::uint64_t table, std::uint64_t offset) const noexcept;
  Mapping without_table(std::uint64_t offset, std::uint64_t max) const;
  Mapping run_in_slice(ConstBytes slice, std::uint64_t index, std::uint64_t offset,
                       std::uint64_t max) const;
  Entry entry_in(ConstBytes slice, std::uint64_t index) const noexcept;
  void load(const Place& place, std::uint64_t generation) const;

  const Geometry geometry_;
  const DiskPtr file_;
  const std::uint64_t l1_offset_;
  mutable std::shared_mutex mutex_;  // guards all below; never held while reading
  mutable TableCache tables_;
  std::vector<std::uint64_t> l1_;
  std::set<std::uint64_t> changed_l1_;  // indices
  std::uint64_t generation_ = 0;        // how often slices were written back
};

// The L1 table at `offset` in host byte order.  Throws Error(EUCLEAN) when it leaves the file.
std::vector<std::uint64_t> read_l1(const Disk& file, std::uint64_t offset, std::uint64_t count);

}  // namespace vimg::qcow2
