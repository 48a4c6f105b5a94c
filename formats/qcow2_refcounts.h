// Refcounts: how often each host cluster of a qcow2 image is referred to.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "disk/disk.h"
#include "formats/qcow2_header.h"
#include "formats/qcow2_table_cache.h"

namespace vimg::qcow2 {

// The refcount table and, through a cache, its blocks.  Changes stay in memory until written.
// Host clusters are known by their number, host offset / cluster size; the clusters that one block
// counts are a region.
//
// Threads: one at a time.
class Refcounts {
 public:
  // Reads the table.  Throws Error(EUCLEAN) when there is none or it leaves the file.
  Refcounts(const Header& header, DiskPtr file, std::uint64_t cache_bytes);

  std::uint64_t cluster_size() const noexcept { return cluster_size_; }
  std::uint64_t region_of(std::uint64_t cluster) const noexcept {
    return cluster / entries_per_block_;
  }
  std::uint64_t first_of(std::uint64_t region) const noexcept {
    return region * entries_per_block_;
  }
  // How many regions the table has room for.
  std::uint64_t region_count() const noexcept { return table_.size(); }
  std::uint64_t table_offset() const noexcept { return table_offset_; }
  std::uint64_t table_clusters() const noexcept {
    return table_.size() * sizeof(be64) / cluster_size_;
  }
  // Host offset of the region's block; 0: none, and all of its counts are 0.
  // Throws Error(EUCLEAN) when the table's entry is broken.
  std::uint64_t block(std::uint64_t region) const;

  std::uint64_t get(std::uint64_t cluster);
  // True when the table says nothing of the region, or that its block is at a cluster's start in
  // the file.
  bool block_is_sound(std::uint64_t region) const noexcept;
  // As get(); nothing when the region's block is not sound.
  std::optional<std::uint64_t> find(std::uint64_t cluster);
  // `value` fits the width, and the cluster's region has a block.
  void set(std::uint64_t cluster, std::uint64_t value);
  // Largest value that a count can take.
  std::uint64_t max_count() const noexcept;

  struct Run {
    bool free;
    std::uint64_t count;  // at least 1
  };
  // How many clusters from `cluster`, whose region has a block, are alike, as far as one slice
  // tells.
  Run run(std::uint64_t cluster);

  // Gives the region a block at `offset`, where the file reads as zeros.  It counts itself when it
  // lies in its own region.
  void add_block(std::uint64_t region, std::uint64_t offset);
  // Makes room for `regions`; a table that is longer than before must move_table() before it is
  // written.
  void resize_table(std::uint64_t regions);
  // Puts the table, whose size is that of whole clusters, to `offset` when it is next written.
  void move_table(std::uint64_t offset);

  std::uint64_t changed_bytes() const noexcept { return blocks_.changed_bytes(); }
  bool table_changed() const noexcept { return moved_ || !changed_entries_.empty(); }
  void write_blocks();
  // The blocks that it refers to must be durable.
  void write_table();

 private:
  struct Place {
    std::uint64_t slice;  // offset in the file
    std::uint64_t index;  // in the slice
  };

  Place place(std::uint64_t cluster) const;
  ConstBytes load(std::uint64_t cluster, const Place& where);

  const DiskPtr file_;
  const std::uint64_t cluster_size_;
  const std::uint32_t order_;
  const std::uint64_t entries_per_block_;
  const std::uint64_t entries_per_slice_;
  std::uint64_t table_offset_;
  std::vector<std::uint64_t> table_;
  std::set<std::uint64_t> changed_entries_;
  bool moved_ = false;
  TableCache blocks_;
};

}  // namespace vimg::qcow2
