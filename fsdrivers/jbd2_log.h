// JournalLog: an open JBD2 journal, its blocks by their number in the log.
#pragma once

#include <cstdint>
#include <vector>

#include "disk/bytes.h"
#include "disk/disk.h"
#include "fsdrivers/jbd2_format.h"

namespace vimg {

// Where the blocks of a journal lie on its disk.
class JournalBlocks {
 public:
  // Blocks that lie one after the other.
  struct Run {
    std::uint64_t log;     // the number of the first in the journal
    std::uint64_t disk;    // its number on the disk
    std::uint64_t length;  // how many
  };

  // `runs` are in the order of the log, begin with block 0 and leave nothing out.
  explicit JournalBlocks(std::vector<Run> runs);

  std::uint64_t count() const noexcept { return count_; }
  // The disk block that holds block `log` (< count()) of the journal.
  std::uint64_t disk_block(std::uint64_t log) const noexcept;
  // True when the journal lies on `disk_block`.
  bool contains(std::uint64_t disk_block) const noexcept;
  // True when no disk block is used twice.
  bool distinct() const noexcept;

 private:
  std::vector<Run> by_log_;
  std::vector<Run> by_disk_;
  std::uint64_t count_ = 0;
};

// The journal with its superblock read and found sound.  Immutable apart from begin_at and
// mark_empty.
class JournalLog {
 public:
  // Throws Error(EUCLEAN) when the superblock is broken, Error(EOPNOTSUPP) naming a feature that
  // is not known.  `block_size` is the file system's.
  JournalLog(DiskPtr disk, std::uint32_t block_size, JournalBlocks blocks);

  const Disk& disk() const noexcept { return *disk_; }
  const JournalBlocks& blocks() const noexcept { return blocks_; }
  std::uint32_t block_size() const noexcept { return block_size_; }

  bool empty() const noexcept { return superblock_.start == 0; }
  // The errno that aborted the journal, or 0.
  std::uint32_t error() const noexcept { return superblock_.error; }
  // The first transaction: its number, and the block it begins with, valid unless empty().
  std::uint32_t sequence() const noexcept { return superblock_.sequence; }
  std::uint32_t start() const noexcept { return superblock_.start; }

  // The log proper is a ring: block end() - 1 is followed by first().
  std::uint32_t first() const noexcept { return superblock_.first; }
  std::uint32_t end() const noexcept { return end_; }
  std::uint32_t length() const noexcept { return end_ - superblock_.first; }
  // The block `steps` after `position` in the ring.
  std::uint32_t after(std::uint32_t position, std::uint64_t steps) const noexcept;

  // The fast commit area, [begin, end) in the journal's blocks; empty without the feature.
  std::uint32_t fast_commit_begin() const noexcept { return fast_commit_begin_; }
  std::uint32_t fast_commit_end() const noexcept { return superblock_.block_count; }

  bool has_compat(std::uint32_t feature) const noexcept;
  bool has_incompat(std::uint32_t features) const noexcept;
  // Checksums v2 or v3: every block carries its own.
  bool has_block_checksums() const noexcept;

  // What crc32c begins with: the sum of the journal's UUID.
  std::uint32_t checksum_seed() const noexcept { return seed_; }

  // Fills `out`, one block long, with block `position` of the journal.
  void read(std::uint32_t position, Bytes out) const;

  // Makes the log begin with transaction `sequence` at block `start`.  Does not flush.
  void begin_at(std::uint32_t sequence, std::uint32_t start);

  // Makes the log empty, as the kernel does: transaction `next` will be its first.  A recorded
  // error and the fast commits go, too.  Does not flush.
  void mark_empty(std::uint32_t next);

 private:
  void validate() const;
  void lay_out();
  void write_superblock();

  DiskPtr disk_;
  std::uint32_t block_size_;
  JournalBlocks blocks_;
  jbd2::Superblock superblock_;
  std::uint32_t seed_ = 0;
  std::uint32_t end_ = 0;
  std::uint32_t fast_commit_begin_ = 0;
};

}  // namespace vimg
