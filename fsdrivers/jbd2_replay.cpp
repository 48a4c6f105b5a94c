#include "fsdrivers/jbd2_replay.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {
namespace {

constexpr const char* layer = "jbd2";

// Transaction numbers wrap around; those of one log lie close together.
bool is_older(std::uint32_t left, std::uint32_t right) noexcept {
  return std::int32_t(left - right) < 0;
}

// The newest transaction that revokes each block.
using Revokes = std::unordered_map<std::uint64_t, std::uint32_t>;

Revokes collect_revokes(const LogScan& scan) {
  Revokes revokes;
  for (const Transaction& transaction : scan.transactions) {
    for (const std::uint64_t block : transaction.revoked) {
      revokes[block] = transaction.sequence;
    }
  }
  return revokes;
}

// A revoke holds for the content that its own transaction and older ones logged.
bool is_revoked(const Revokes& revokes, std::uint64_t block, std::uint32_t sequence) {
  const auto found = revokes.find(block);
  return found != revokes.end() && !is_older(found->second, sequence);
}

void validate_target(const JournalLog& log, const LoggedBlock& logged,
                     std::uint64_t target_blocks) {
  if (logged.target >= target_blocks) {
    throw_corrupt(layer, fmt::format("log block {} is for block {:#x}, beyond the end {:#x}",
                                     logged.position, logged.target, target_blocks));
  }
  if (log.blocks().contains(logged.target)) {
    throw_corrupt(layer, fmt::format("log block {} is for block {:#x}, in the journal itself",
                                     logged.position, logged.target));
  }
}

}  // namespace

ReplayPlan plan_replay(const JournalLog& log, const LogScan& scan, std::uint64_t target_blocks) {
  const Revokes revokes = collect_revokes(scan);
  std::map<std::uint64_t, LoggedBlock> newest;
  ReplayPlan plan;
  for (const Transaction& transaction : scan.transactions) {
    for (const LoggedBlock& logged : transaction.blocks) {
      if (is_revoked(revokes, logged.target, transaction.sequence)) {
        ++plan.revoked;
        continue;
      }
      validate_target(log, logged, target_blocks);
      newest.insert_or_assign(logged.target, logged);
    }
  }
  plan.writes.reserve(newest.size());
  for (const auto& [target, logged] : newest) {
    plan.writes.push_back(logged);
  }
  return plan;
}

void replay(const JournalLog& log, const ReplayPlan& plan, Disk& disk) {
  std::vector<std::byte> block(log.block_size());
  for (const LoggedBlock& logged : plan.writes) {
    log.read(logged.position, block);
    if (logged.form == LoggedAs::escaped) {
      store(block, 0, be32(jbd2::block_magic));
    }
    disk.write(logged.target * log.block_size(), block);
  }
}

}  // namespace vimg
