// VHDX log: replaying it, into the file or in memory.
#pragma once

#include <cstdint>
#include <vector>

#include "disk/disk.h"
#include "formats/vhdx_header.h"
#include "formats/vhdx_log.h"

namespace vimg::vhdx {

// True when the log may hold something to replay.
bool has_log(const Header& header) noexcept;

// What a file's log still has to change in it.
class PendingLog {
 public:
  // `file`, which outlives it, has the validated `header`, which has a log.
  // Throws Error(EUCLEAN) for a file that was cut, Error(EOPNOTSUPP) for a log that is too long.
  PendingLog(const Disk& file, const Header& header);

  // True when no entry is whole: the log was begun and nothing has been changed by it yet.
  bool is_empty() const noexcept { return sequence_.empty(); }
  // Bytes that the file has once it is replayed; not less than it has.
  std::uint64_t file_size() const noexcept { return size_; }
  // `target` is the file or a copy of it, file_size() long.  Throws Error(EUCLEAN) when the log
  // changes what it must not.
  void replay_into(Disk& target);

 private:
  const Header header_;
  LogReader reader_;
  const std::vector<std::uint64_t> sequence_;
  std::uint64_t size_;
};

// `file` with its log replayed in memory, read-only; `file` itself when there is nothing to replay.
DiskPtr make_replayed(DiskPtr file, const Header& header);

// Replays the log into `file`, which has one, and marks it as empty.  It can be repeated when it
// was cut short anywhere.
void replay_into_file(Disk& file, CurrentHeader& current);

}  // namespace vimg::vhdx
