// VHDX log: writing entries, so that a change of the structure happens whole or not at all.
#pragma once

#include <cstdint>
#include <vector>

#include "disk/disk.h"
#include "formats/vhdx_bat.h"
#include "formats/vhdx_header.h"

namespace vimg::vhdx {

// Every entry is a sequence of its own, as what the one before it noted is stable in the file by
// then.  Entries take turns in the two halves of the log: while one is written, the other is whole,
// so that a file whose header names a log always has a valid entry.
//
// Threads: one at a time.
class LogWriter {
 public:
  // `header`, whose log is empty, is followed and outlives it, as does `file`.
  // Throws Error(EOPNOTSUPP) when the file has no log that can be used.
  LogWriter(Disk& file, CurrentHeader& header);

  // The most pages that write() takes.
  std::uint64_t max_pages() const noexcept;
  // Returns when it is stable that `pages` will have their content: now they may be written.
  // All that was written before, pages of earlier calls too, is stable then.
  void write(const std::vector<TablePage>& pages);
  // Marks the log as empty.  What was written to the file is stable.
  void close();

 private:
  std::vector<std::byte> entry_of(const std::vector<TablePage>& pages) const;
  std::uint64_t half() const noexcept;
  bool is_announced() const noexcept;

  Disk& file_;
  CurrentHeader& header_;
  const Guid guid_;
  std::uint64_t sequence_number_ = 1;
};

}  // namespace vimg::vhdx
