// Volume: the clusters of a FAT or exFAT volume and its directories, kept in memory when read.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "disk/disk.h"
#include "fsdrivers/fat_record.h"

namespace vimg::fat {

using DirectoryPtr = std::shared_ptr<Directory>;
using RunsPtr = std::shared_ptr<const std::vector<Run>>;

// Reading may be done by any thread; whoever changes what lies on the disk is alone, and forgets
// or changes what is kept here.
class Volume {
 public:
  // `tables` is `disk` through a cache.
  Volume(DiskPtr disk, DiskPtr tables, const Geometry& geometry, std::unique_ptr<Dialect> dialect);

  const Geometry& geometry() const noexcept { return geometry_; }
  Disk& disk() const noexcept { return *disk_; }
  Disk& tables() const noexcept { return *tables_; }
  FatTable& table() const noexcept { return *table_; }
  Dialect& dialect() const noexcept { return *dialect_; }

  // Where the clusters of `record` lie, as many as its size needs; all of a directory's.
  RunsPtr runs(const Record& record) const;
  // Throws Error(ENOTDIR) when `record` is none.
  DirectoryPtr directory(const Record& record) const;
  void forget_runs(std::uint32_t first_cluster);
  void forget_directory(std::uint32_t first_cluster);

 private:
  std::vector<Run> find_runs(const Record& record) const;
  DirectoryPtr read_directory(const Record& record) const;

  DiskPtr disk_;
  DiskPtr tables_;
  Geometry geometry_;
  std::unique_ptr<Dialect> dialect_;
  std::unique_ptr<FatTable> table_;

  struct KnownRuns {
    std::uint64_t clusters;  // asked for
    RunsPtr runs;
  };
  mutable std::mutex mutex_;  // guards what follows; never held across I/O
  mutable std::unordered_map<std::uint32_t, KnownRuns> runs_;  // by first cluster
  mutable std::size_t runs_kept_ = 0;
  mutable std::unordered_map<std::uint32_t, DirectoryPtr> directories_;  // by first cluster
  mutable std::size_t entries_kept_ = 0;
};

// Puts `entry` among the others, or takes it away, in memory.
void add_entry(Directory& directory, const Dialect& dialect, Entry entry);
void remove_entry(Directory& directory, const Dialect& dialect, std::uint32_t slot);

// The entry called `name`: the very name before one that differs in case.
const Entry* find_entry(const Directory& directory, const Dialect& dialect, std::string_view name);

}  // namespace vimg::fat
