// Replaying a JBD2 log: the last content of every block of it, written to where it belongs.
#pragma once

#include <cstdint>
#include <vector>

#include "disk/disk.h"
#include "fsdrivers/jbd2_scan.h"

namespace vimg {

struct ReplayPlan {
  std::vector<LoggedBlock> writes;  // each target once, ascending
  std::uint64_t revoked = 0;        // blocks that were left out because they were revoked
};

// Throws Error(EUCLEAN) when a block lies beyond `target_blocks` or in the journal itself, so that
// what replaying writes never changes what it reads, and it can be begun again at any time.
ReplayPlan plan_replay(const JournalLog& log, const LogScan& scan, std::uint64_t target_blocks);

// Writes the blocks of `plan` to `disk`, on which the log itself lies.  Does not flush.
void replay(const JournalLog& log, const ReplayPlan& plan, Disk& disk);

}  // namespace vimg
