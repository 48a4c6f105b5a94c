#include "fsdrivers/ext4_recovery.h"

#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/ext4_fast_commit.h"
#include "fsdrivers/ext4_io.h"
#include "fsdrivers/ext4_journal.h"
#include "fsdrivers/ext4_orphans.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/jbd2_replay.h"
#include "fsdrivers/jbd2_write.h"
#include "fsdrivers/staged_disk.h"

namespace vimg {
namespace {

constexpr std::uint64_t max_staged = 256U << 20;  // bytes of changed blocks kept in memory

bool is_dirty(const ext4::Superblock& superblock) noexcept {
  return ext4::has_incompat(superblock, ext4::incompat_recover);
}

// Of a file system that is known to have errors nothing is deleted.
bool has_orphans(const ext4::Superblock& superblock) noexcept {
  return (superblock.state & ext4::state_errors) == 0 &&
         (superblock.last_orphan != 0 ||
          ext4::has_ro_compat(superblock, ext4::ro_compat_orphan_present));
}

// The primary superblock, found sound, and the sizes in it.
struct Validated {
  ext4::Superblock superblock;
  ext4::Geometry geometry;
};

Validated read_validated(const Disk& disk) {
  const auto superblock = ext4::read_superblock(disk, ext4::superblock_offset);
  return {superblock, ext4::validate(superblock, ext4::superblock_offset)};
}

// With its checksum made right.  Does not flush.
void write_superblock(Disk& disk, ext4::Superblock superblock) {
  if (ext4::has_metadata_checksums(superblock)) {
    constexpr std::size_t summed = offsetof(ext4::Superblock, checksum);
    superblock.checksum = ext4::crc32c(~0U, bytes_of(superblock).first(summed));
  }
  disk.write(ext4::superblock_offset, bytes_of(superblock));
}

// The superblock's own sums are only kept when a file system is unmounted.
void sum_free_counts(const Ext2Handle& filsys) {
  blk64_t blocks = 0;
  ext2_ino_t inodes = 0;
  for (dgrp_t group = 0; group < filsys->group_desc_count; ++group) {
    blocks += ext2fs_bg_free_blocks_count(filsys.get(), group);
    inodes += ext2fs_bg_free_inodes_count(filsys.get(), group);
  }
  ext2fs_free_blocks_count_set(filsys->super, EXT2FS_C2B(filsys.get(), blocks));
  filsys->super->s_free_inodes_count = inodes;
  ext2fs_mark_super_dirty(filsys.get());
}

class Recovery {
 public:
  explicit Recovery(DiskPtr disk) : disk_(std::move(disk)) {}

  RecoveryReport run();

 private:
  void open_journal(const Validated& found);
  void replay_journal(const ext4::Geometry& geometry);
  void set_dirty();
  bool has_errors() const;
  StagedDisk::Blocks settle();
  void apply(const StagedDisk::Blocks& changes);
  bool fits_in_log(const StagedDisk::Blocks& changes) const;
  void log_changes(const StagedDisk::Blocks& changes);
  void finish();

  DiskPtr disk_;
  std::optional<JournalLog> log_;
  LogScan scan_{};
  std::vector<FastCommitTag> fast_commits_;
  RecoveryReport report_;
};

RecoveryReport Recovery::run() {
  const Validated found = read_validated(*disk_);
  if (!is_dirty(found.superblock) && !has_orphans(found.superblock)) {
    return report_;
  }
  open_journal(found);
  if (is_dirty(found.superblock)) {
    replay_journal(found.geometry);
  } else if (log_) {
    set_dirty();
  }
  apply(settle());
  finish();
  return report_;
}

void Recovery::open_journal(const Validated& found) {
  if (ext4::has_compat(found.superblock, ext4::compat_has_journal)) {
    log_ = open_ext4_journal(disk_, found.superblock, found.geometry);
  } else if (is_dirty(found.superblock)) {
    throw_corrupt(ext4::layer, "the superblock asks for recovery, but there is no journal");
  }
}

void Recovery::replay_journal(const ext4::Geometry& geometry) {
  scan_ = scan_log(*log_);
  const ReplayPlan plan = plan_replay(*log_, scan_, block_space(*disk_, geometry).end);
  replay(*log_, plan, *disk_);
  disk_->flush();
  report_.transactions = scan_.transactions.size();
  report_.blocks = plan.writes.size();
  report_.revoked = plan.revoked;
  report_.damage = scan_.damage;
  if (!log_->empty()) {
    fast_commits_ = scan_fast_commits(*log_, scan_.next_sequence);
  }
  report_.fast_commit_tags = fast_commits_.size();
}

// For the changes to come all at once through the journal, which holds nothing that counts.
void Recovery::set_dirty() {
  log_->mark_empty(log_->sequence());
  disk_->flush();
  scan_ = scan_log(*log_);
  ext4::Superblock superblock = read_validated(*disk_).superblock;
  superblock.feature_incompat = superblock.feature_incompat | ext4::incompat_recover;
  write_superblock(*disk_, superblock);
  disk_->flush();
}

// What the superblock will be marked with; e2fsck has to look at all of it then.
bool Recovery::has_errors() const {
  return report_.damage || report_.orphans_skipped != 0 || (log_ && log_->error() != 0);
}

// What is to be done once the journal is replayed; the disk stays as it is.
StagedDisk::Blocks Recovery::settle() {
  const auto [superblock, geometry] = read_validated(*disk_);
  const auto staged = std::make_shared<StagedDisk>(disk_, geometry.block_size, max_staged);
  Ext2Handle filsys = open_ext2fs(staged, EXT2_FLAG_RW);
  filsys->flags |= EXT2_FLAG_MASTER_SB_ONLY;
  const BlockSpace space = block_space(*staged, geometry);
  const bool to_clean = has_orphans(superblock) && !has_errors();
  if (to_clean || !fast_commits_.empty()) {
    filsys.check(ext2fs_read_bitmaps(filsys.get()), "bitmaps");
  }
  if (!fast_commits_.empty()) {
    replay_fast_commits(filsys, space, fast_commits_);
  }
  if (to_clean) {
    const OrphanCounts counts = clean_orphans(filsys, space);
    report_.orphans_deleted = counts.deleted;
    report_.orphans_truncated = counts.truncated;
    report_.orphans_skipped = counts.skipped;
  }
  sum_free_counts(filsys);
  filsys.check(ext2fs_flush2(filsys.get(), 0), "writing what was recovered");
  return staged->changes();
}

// Through the journal, as one transaction behind those that are in it, so that a failure leaves
// all of the changes to be made again or none.  Without a journal, or when they are too many for
// it, they are written as they are.
void Recovery::apply(const StagedDisk::Blocks& changes) {
  if (fits_in_log(changes)) {
    log_changes(changes);
  }
  const std::uint64_t size = read_validated(*disk_).geometry.block_size;
  for (const auto& [block, content] : changes) {
    disk_->write(block * size, content);
  }
  disk_->flush();
}

bool Recovery::fits_in_log(const StagedDisk::Blocks& changes) const {
  return log_ && !changes.empty() &&
         transaction_length(*log_, changes.size()) <= log_->length() - scan_.used;
}

void Recovery::log_changes(const StagedDisk::Blocks& changes) {
  for (const auto& [block, content] : changes) {
    if (log_->blocks().contains(block)) {
      throw_corrupt(ext4::layer, fmt::format("block {:#x} of the journal has another use", block));
    }
  }
  write_transaction(*log_, *disk_, scan_.next_position, scan_.next_sequence, changes);
  disk_->flush();
  if (log_->empty()) {
    log_->begin_at(scan_.next_sequence, scan_.next_position);
    disk_->flush();
  }
  ++scan_.next_sequence;
}

// The journal is emptied only after everything in it is safely in its place.
void Recovery::finish() {
  const bool failed = has_errors();
  if (log_) {
    log_->mark_empty(scan_.next_sequence + 1);
    disk_->flush();
  }
  ext4::Superblock superblock = read_validated(*disk_).superblock;
  superblock.feature_incompat = superblock.feature_incompat & ~ext4::incompat_recover;
  if (failed) {
    superblock.state = std::uint16_t(superblock.state | ext4::state_errors);
  }
  write_superblock(*disk_, superblock);
  disk_->flush();
}

std::string plural(std::uint64_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

bool ext4_needs_recovery(const Disk& disk) {
  if (!fits(ext4::superblock_offset, sizeof(ext4::Superblock), disk.size())) {
    return false;
  }
  const auto superblock = read_object<ext4::Superblock>(disk, ext4::superblock_offset);
  return superblock.magic == ext4::superblock_magic &&
         (is_dirty(superblock) || has_orphans(superblock));
}

RecoveryReport recover_ext4(DiskPtr disk) { return Recovery(std::move(disk)).run(); }

std::vector<std::string> describe(const RecoveryReport& report) {
  std::vector<std::string> lines;
  if (report.transactions != 0) {
    lines.push_back(fmt::format("journal replayed: {}, {}, {} revoked",
                                plural(report.transactions, "transaction"),
                                plural(report.blocks, "block"), report.revoked));
  }
  if (report.damage) {
    lines.push_back("journal damaged, the last transaction left out: " + *report.damage);
  }
  if (report.fast_commit_tags != 0) {
    lines.push_back("fast commits replayed: " + plural(report.fast_commit_tags, "tag"));
  }
  if (report.orphans_deleted != 0) {
    lines.push_back(plural(report.orphans_deleted, "orphan") + " deleted");
  }
  if (report.orphans_truncated != 0) {
    lines.push_back(plural(report.orphans_truncated, "orphan") + " truncated");
  }
  if (report.orphans_skipped != 0) {
    lines.push_back(plural(report.orphans_skipped, "damaged orphan") + " left as found");
  }
  return lines;
}

}  // namespace vimg
