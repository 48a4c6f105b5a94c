// Fast commits of ext4: small changes logged by what was done, behind the last transaction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "fsdrivers/ext4_block_walk.h"
#include "fsdrivers/ext4_io.h"
#include "fsdrivers/jbd2_log.h"

namespace vimg {

// Spec: linux fs/ext4/fast_commit.h.
enum class FastCommitKind : std::uint16_t {
  add_range = 1,
  delete_range = 2,
  create = 3,
  link = 4,
  unlink = 5,
  inode = 6,
  padding = 7,
  tail = 8,
  head = 9,
};

struct FastCommitTag {
  FastCommitKind kind;
  std::vector<std::byte> value;  // as long as its kind asks for
};

// The changes (no head, tail or padding) of the fast commits that belong to `transaction`, in
// order, up to the first that is incomplete.  Throws Error(EOPNOTSUPP) for features not known.
std::vector<FastCommitTag> scan_fast_commits(const JournalLog& log, std::uint32_t transaction);

// Makes the changes.  `filsys` is open for writing with its bitmaps read, `space` its blocks; the
// caller flushes.  Throws Error(EUCLEAN) for a change that cannot be, or what the Disk throws.
void replay_fast_commits(Ext2Handle& filsys, const BlockSpace& space,
                         std::span<const FastCommitTag> tags);

}  // namespace vimg
