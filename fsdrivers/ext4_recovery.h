// Recovery of ext3 and ext4 after a crash: the journal, the fast commits, the orphans.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "disk/disk.h"

namespace vimg {

struct RecoveryReport {
  std::uint64_t transactions = 0;      // replayed
  std::uint64_t blocks = 0;            // written by them
  std::uint64_t revoked = 0;           // blocks left out because they were revoked
  std::uint64_t fast_commit_tags = 0;  // replayed
  std::uint64_t orphans_deleted = 0;
  std::uint64_t orphans_truncated = 0;
  std::uint64_t orphans_skipped = 0;  // too damaged to be touched
  // The last transaction, when it was damaged and therefore left out.
  std::optional<std::string> damage;
};

// The report in sentences for FileSystemInfo::warnings: "journal replayed: 12 transactions …".
std::vector<std::string> describe(const RecoveryReport& report);

// True when the kernel would recover the file system before it mounts it: its journal is not
// empty or it has orphans.  False for what is no ext3 or ext4.  Throws when `disk` cannot be read.
bool ext4_needs_recovery(const Disk& disk);

// Does what the kernel does: replays the journal and the fast commits, empties the journal, deletes
// or truncates the orphans, and clears the marks of all that.  `disk` is writable: the image, or
// for reading only an overlay over it.  A failure in between leaves the journal as it was as long
// as it is needed: recovery can be begun again from the start.
// Throws Error(EUCLEAN) for a damaged journal, before anything is written, Error(EOPNOTSUPP) for an
// external one or an unknown feature, or what the Disk throws.
RecoveryReport recover_ext4(DiskPtr disk);

}  // namespace vimg
