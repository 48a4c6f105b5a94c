// The grain directory and grain tables of a VMDK sparse extent.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>

#include "disk/disk.h"
#include "formats/vmdk_header.h"

namespace vimg::vmdk {

// Entries are sectors of the file; what they mean is their reader's business.  What is changed
// stays in memory until flush(), so that no table leads to a grain that is not in the file yet.
//
// Threads: any may read; one at a time changes and flushes, beside them.
class GrainTables {
 public:
  // `file` is the extent's file.
  GrainTables(const SparseLayout& layout, DiskPtr file, std::uint64_t cache_bytes);

  // Where table `index` begins, in bytes; nothing when there is none.
  // Throws Error(EUCLEAN) when it leaves the file.
  std::optional<std::uint64_t> table_place(std::uint64_t index) const;
  // The same of its copy, where the extent has copies.
  std::optional<std::uint64_t> redundant_place(std::uint64_t index) const;

  // The entries of `out.size()` grains from `grain`, at most max_read of them, all of one table;
  // false when that does not exist.
  static constexpr std::size_t max_read = 64;
  bool read(std::uint64_t grain, std::span<std::uint32_t> out) const;

  // Makes the table that `grain` belongs to where there is none.  Throws Error(EUCLEAN) when the
  // table and its copy cannot be written, as nothing of a write may be found impossible later.
  void prepare(std::uint64_t grain);
  // The table was prepared.
  void set(std::uint64_t grain, std::uint32_t entry);
  std::size_t changed_entries() const;
  // Writes all that was changed, after what the file was given before.
  void flush();
  // Makes each copy of a table the same as the table.
  void mirror();

 private:
  struct NewTable {
    std::uint64_t place;      // bytes
    std::uint64_t redundant;  // 0: none
  };

  std::optional<std::uint64_t> place_in(std::uint64_t directory, std::uint64_t index) const;
  std::optional<NewTable> new_table(std::uint64_t index) const;
  void write_entries(const std::map<std::uint64_t, std::uint32_t>& changed);
  void write_directories();
  void write_directory_entry(std::uint64_t directory, std::uint64_t index, std::uint64_t place);

  const SparseLayout layout_;
  const DiskPtr file_;
  const DiskPtr tables_;  // the same through a cache
  std::atomic<bool> any_changed_ = false;
  mutable std::mutex mutex_;                        // guards the two below; never held across I/O
  std::map<std::uint64_t, std::uint32_t> changed_;  // by grain
  std::map<std::uint64_t, NewTable> new_tables_;    // not in the directory yet
};

}  // namespace vimg::vmdk
