#include "fsdrivers/ext4_recovery.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "fsdrivers/ext4_journal.h"
#include "fsdrivers/jbd2_replay.h"

namespace vimg {
namespace {

struct Replayed {
  JournalLog log;
  LogScan scan;
};

std::uint64_t usable_blocks(const Disk& disk, const Ext4RecoverySuperblock& superblock) {
  return std::min(block_count(superblock), disk.size() / block_size(superblock));
}

Replayed replay_journal(const DiskPtr& disk, RecoveryReport& report) {
  const auto superblock = read_recovery_superblock(*disk);
  JournalLog log = open_ext4_journal(disk, superblock);
  LogScan scan = scan_log(log);
  const ReplayPlan plan = plan_replay(log, scan, usable_blocks(*disk, superblock));
  replay(log, plan, *disk);
  disk->flush();
  report.transactions = scan.transactions.size();
  report.blocks = plan.writes.size();
  report.revoked = plan.revoked;
  report.damage = scan.damage;
  return {std::move(log), std::move(scan)};
}

// The journal is emptied only after everything in it is safely in its place.
void finish_journal(const DiskPtr& disk, Replayed& replayed) {
  const bool failed = replayed.log.error() != 0 || replayed.scan.damage.has_value();
  if (!replayed.log.empty()) {
    replayed.log.mark_empty(replayed.scan.next_sequence + 1);
    disk->flush();
  }
  // Replaying may have brought another superblock.
  auto superblock = read_recovery_superblock(*disk);
  superblock.incompat = superblock.incompat & ~ext4_incompat_recover;
  if (failed) {
    superblock.state = std::uint16_t(superblock.state | ext4_state_errors);
  }
  write_recovery_superblock(*disk, superblock);
  disk->flush();
}

std::string plural(std::uint64_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

bool ext4_needs_recovery(const Disk& disk) {
  const auto superblock = find_recovery_superblock(disk);
  return superblock && ((superblock->incompat & ext4_incompat_recover) != 0 ||
                        (superblock->ro_compat & ext4_ro_compat_orphan_present) != 0 ||
                        superblock->last_orphan != 0);
}

RecoveryReport recover_ext4(DiskPtr disk) {
  RecoveryReport report;
  if ((read_recovery_superblock(*disk).incompat & ext4_incompat_recover) != 0) {
    Replayed replayed = replay_journal(disk, report);
    finish_journal(disk, replayed);
  }
  return report;
}

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
  return lines;
}

}  // namespace vimg
