#include "fsdrivers/jbd2_scan.h"

#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"

namespace vimg {
namespace {

constexpr const char* layer = "jbd2";

// The transaction that is being walked.
struct Pending {
  Transaction transaction;
  std::optional<std::string> damage;  // the first thing found wrong
  std::uint32_t checksum = ~0U;       // v1: over the descriptors and what they name

  void note(std::string what) {
    if (!damage) {
      damage = std::move(what);
    }
  }
};

class LogScanner {
 public:
  explicit LogScanner(const JournalLog& log)
      : log_(log), position_(log.start()), block_(log.block_size()), data_(log.block_size()) {
    begin(log.sequence());
    result_.next_sequence = log.sequence();
    result_.next_position = log.start();
  }

  LogScan scan();

 private:
  enum class Step { go_on, stop };

  Step step();
  Step visit_descriptor();
  Step visit_revoke();
  Step visit_commit();
  void begin(std::uint32_t sequence);
  void advance(std::uint64_t blocks);
  void check_tail(const char* what);
  void check_data(const LoggedBlock& logged);
  void check_commit();
  bool v1_checksum_fits(const jbd2::CommitHeader& commit) const;

  const JournalLog& log_;
  std::uint32_t position_;
  std::uint64_t walked_ = 0;  // blocks
  std::uint64_t last_commit_seconds_ = 0;
  std::vector<std::byte> block_;  // the one that is looked at
  std::vector<std::byte> data_;   // one that a descriptor names
  Pending pending_{};
  LogScan result_{};
};

// Every step walks at least one block, and the ring is walked once only, so the scan ends: what
// would need more overwrote its own start, and was not committed.
LogScan LogScanner::scan() {
  while (walked_ < log_.length() && step() == Step::go_on) {
  }
  result_.next_sequence = result_.damage ? result_.next_sequence : pending_.transaction.sequence;
  return std::move(result_);
}

LogScanner::Step LogScanner::step() {
  log_.read(position_, block_);
  const auto header = load<jbd2::BlockHeader>(block_);
  if (header.magic != jbd2::block_magic || header.sequence != pending_.transaction.sequence) {
    return Step::stop;
  }
  advance(1);
  switch (header.type) {
    case jbd2::descriptor_block:
      return visit_descriptor();
    case jbd2::revoke_block:
      return visit_revoke();
    case jbd2::commit_block:
      return visit_commit();
    default:
      return Step::stop;
  }
}

LogScanner::Step LogScanner::visit_descriptor() {
  check_tail("descriptor");
  if (log_.has_compat(jbd2::compat_checksum)) {
    pending_.checksum = ext4::crc32_be(pending_.checksum, block_);
  }
  const auto blocks = parse_descriptor(log_, block_, position_);
  if (blocks.size() > log_.length() - walked_) {
    return Step::stop;
  }
  for (const LoggedBlock& logged : blocks) {
    check_data(logged);
  }
  advance(blocks.size());
  auto& all = pending_.transaction.blocks;
  all.insert(all.end(), blocks.begin(), blocks.end());
  return Step::go_on;
}

LogScanner::Step LogScanner::visit_revoke() {
  check_tail("revoke");
  const auto revoked = parse_revokes(log_, block_);
  if (!revoked) {
    pending_.note(fmt::format("revoke block with {} bytes in use",
                              load<jbd2::RevokeHeader>(block_).used.value()));
    return Step::go_on;
  }
  auto& all = pending_.transaction.revoked;
  all.insert(all.end(), revoked->begin(), revoked->end());
  return Step::go_on;
}

LogScanner::Step LogScanner::visit_commit() {
  check_commit();
  const std::uint32_t sequence = pending_.transaction.sequence;
  const std::uint64_t seconds = load<jbd2::CommitHeader>(block_).seconds;
  if (pending_.damage && seconds < last_commit_seconds_) {
    // Left from an earlier round of the ring: older than the transaction before it.
    return Step::stop;
  }
  if (result_.damage) {
    throw_corrupt(layer, *result_.damage + ", and it is not the last");
  }
  if (pending_.damage) {
    result_.damage = fmt::format("transaction {}: {}", sequence, *pending_.damage);
  } else {
    result_.transactions.push_back(std::move(pending_.transaction));
    result_.next_sequence = sequence + 1;
    result_.next_position = position_;
    result_.used = walked_;
  }
  last_commit_seconds_ = seconds;
  begin(sequence + 1);
  return Step::go_on;
}

void LogScanner::begin(std::uint32_t sequence) {
  pending_ = Pending{};
  pending_.transaction.sequence = sequence;
}

void LogScanner::advance(std::uint64_t blocks) {
  position_ = log_.after(position_, blocks);
  walked_ += blocks;
}

void LogScanner::check_tail(const char* what) {
  if (!log_.has_block_checksums()) {
    return;
  }
  const std::size_t summed = block_.size() - jbd2::tail_size;
  constexpr std::array<std::byte, jbd2::tail_size> zeros{};
  const std::uint32_t sum =
      ext4::crc32c(ext4::crc32c(log_.checksum_seed(), ConstBytes(block_).first(summed)), zeros);
  if (load<be32>(block_, summed) != sum) {
    pending_.note(fmt::format("wrong checksum of a {} block", what));
  }
}

void LogScanner::check_data(const LoggedBlock& logged) {
  const bool v1 = log_.has_compat(jbd2::compat_checksum);
  if (!v1 && !log_.has_block_checksums()) {
    return;
  }
  log_.read(logged.position, data_);
  if (v1) {
    pending_.checksum = ext4::crc32_be(pending_.checksum, data_);
    return;
  }
  const be32 sequence = pending_.transaction.sequence;
  const std::uint32_t sum =
      ext4::crc32c(ext4::crc32c(log_.checksum_seed(), bytes_of(sequence)), data_);
  const std::uint32_t kept = log_.has_incompat(jbd2::incompat_checksum_v3) ? sum : sum & 0xFFFF;
  if (logged.checksum != kept) {
    pending_.note(fmt::format("wrong checksum of the content of block {}", logged.target));
  }
}

void LogScanner::check_commit() {
  const auto commit = load<jbd2::CommitHeader>(block_);
  if (log_.has_compat(jbd2::compat_checksum) && !v1_checksum_fits(commit)) {
    pending_.note("wrong checksum in the commit block");
  }
  if (!log_.has_block_checksums()) {
    return;
  }
  store(block_, offsetof(jbd2::CommitHeader, checksum), be32(0));
  if (ext4::crc32c(log_.checksum_seed(), block_) != commit.checksum[0]) {
    pending_.note("wrong checksum of the commit block");
  }
}

// A commit block may also do without.
bool LogScanner::v1_checksum_fits(const jbd2::CommitHeader& commit) const {
  if (commit.checksum_type == 0 && commit.checksum_size == 0 && commit.checksum[0] == 0) {
    return true;
  }
  return commit.checksum_type == jbd2::checksum_crc32 && commit.checksum_size == sizeof(be32) &&
         commit.checksum[0] == pending_.checksum;
}

}  // namespace

LogScan scan_log(const JournalLog& log) {
  if (log.empty()) {
    // The next transaction is the superblock's own: nothing was used.
    return {{}, log.sequence(), log.first(), 0, std::nullopt};
  }
  return LogScanner(log).scan();
}

}  // namespace vimg
