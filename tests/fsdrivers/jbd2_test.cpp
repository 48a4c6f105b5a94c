#include <cerrno>
#include <numeric>
#include <string>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/jbd2_replay.h"
#include "fsdrivers/jbd2_scan.h"
#include "fsdrivers/jbd2_write.h"
#include "tests/fsdrivers/journal_builder.h"

namespace vimg {
namespace {

using test::JournalBuilder;

// What the first byte of each target block is after replaying.
std::uint8_t first_byte(const Disk& disk, std::uint32_t block) {
  return read_object<std::uint8_t>(disk, std::uint64_t(block) * JournalBuilder::block_size);
}

ReplayPlan replay_all(const DiskPtr& disk) {
  const JournalLog log = JournalBuilder::open(disk);
  const ReplayPlan plan = plan_replay(log, scan_log(log), JournalBuilder::disk_blocks);
  replay(log, plan, *disk);
  return plan;
}

// The message of the Error(EUCLEAN) that `action` throws.
template <typename Action>
std::string corrupt_message(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    CHECK(error.code() == EUCLEAN);
    return error.what();
  }
  return "nothing was thrown";
}

std::string open_message(JournalBuilder& journal) {
  return corrupt_message([&] { journal.open(); });
}

TEST_CASE("jbd2: committed transactions are replayed, the newest content wins") {
  JournalBuilder journal;
  journal.log(7, {40, 41}, 0x11).commit(7).log(8, {41}, 0x22).commit(8);
  const DiskPtr disk = journal.disk();
  CHECK(replay_all(disk).writes.size() == 2);
  CHECK(first_byte(*disk, 40) == 0x11);
  CHECK(first_byte(*disk, 41) == 0x22);
}

TEST_CASE("jbd2: a transaction without its commit block is not there") {
  JournalBuilder journal;
  journal.log(7, {40}, 0x11).commit(7).log(8, {40}, 0x22);
  const DiskPtr disk = journal.disk();
  const LogScan scan = scan_log(JournalBuilder::open(disk));
  CHECK(scan.transactions.size() == 1);
  CHECK(scan.next_sequence == 8);
  CHECK(scan.next_position == 4);
  replay_all(disk);
  CHECK(first_byte(*disk, 40) == 0x11);
}

TEST_CASE("jbd2: an empty log has no transactions") {
  JournalBuilder journal;
  journal.log(7, {40}, 0x11).commit(7);
  journal.superblock.start = 0;
  const LogScan scan = scan_log(journal.open());
  CHECK(scan.transactions.empty());
  CHECK(scan.next_sequence == 7);
}

TEST_CASE("jbd2: a revoke holds for its own transaction and those before") {
  JournalBuilder journal;
  journal.log(7, {40, 41}, 0x11).commit(7).log(8, {41}, 0x22).revoke(8, {40, 41}).commit(8);
  journal.log(9, {40}, 0x33).commit(9);
  const DiskPtr disk = journal.disk();
  CHECK(replay_all(disk).revoked == 3);
  CHECK(first_byte(*disk, 40) == 0x33);
  CHECK(first_byte(*disk, 41) == 0);
}

TEST_CASE("jbd2: transaction numbers wrap around, also for revokes") {
  JournalBuilder journal;
  journal.superblock.sequence = 0xFFFFFFFF;
  journal.log(0xFFFFFFFF, {40, 41}, 0x11).commit(0xFFFFFFFF).revoke(0, {40}).commit(0);
  const DiskPtr disk = journal.disk();
  CHECK(replay_all(disk).revoked == 1);
  CHECK(first_byte(*disk, 41) == 0x11);
}

TEST_CASE("jbd2: the log goes on at its first block after its last") {
  JournalBuilder journal;
  journal.superblock.start = 30;
  journal.position = 30;
  journal.log(7, {40, 41}, 0x11).commit(7);
  const DiskPtr disk = journal.disk();
  replay_all(disk);
  CHECK(first_byte(*disk, 41) == 0x11);
}

TEST_CASE("jbd2: a block that was escaped gets its magic back") {
  JournalBuilder journal;
  journal.log(7, {40}, 0x00).commit(7);
  journal.put(1 * JournalBuilder::block_size + 12 + 6, be16(0x0B));
  const DiskPtr disk = journal.disk();
  replay_all(disk);
  CHECK(read_object<be32>(*disk, 40 * JournalBuilder::block_size) == jbd2::block_magic);
}

TEST_CASE("jbd2: a log full of revokes of one transaction ends") {
  JournalBuilder journal;
  for (std::uint32_t block = 1; block < JournalBuilder::journal_blocks; ++block) {
    journal.revoke(7, {40});
  }
  CHECK(scan_log(journal.open()).transactions.empty());
}

TEST_CASE("jbd2: a transaction longer than the log is not there") {
  JournalBuilder journal;
  std::vector<std::uint32_t> targets(40);
  std::iota(targets.begin(), targets.end(), 40);
  std::size_t at = JournalBuilder::block_size;
  journal.log(7, {40}, 0);
  for (const std::uint32_t target : targets) {
    journal.put(at += 8, be32(target));
    journal.put(at + 6, be16(2));
  }
  CHECK(scan_log(journal.open()).transactions.empty());
}

TEST_CASE("jbd2: the last block of the file system can be a target") {
  JournalBuilder journal;
  journal.log(7, {127}, 0x11).commit(7);
  const DiskPtr disk = journal.disk();
  replay_all(disk);
  CHECK(first_byte(*disk, 127) == 0x11);
}

TEST_CASE("jbd2: a target beyond the file system is corrupt, and nothing is written") {
  JournalBuilder journal;
  journal.log(7, {40, 128}, 0x11).commit(7);
  const DiskPtr disk = journal.disk();
  CHECK(corrupt_message([&] { replay_all(disk); }) ==
        "jbd2: log block 3 is for block 0x80, beyond the end 0x80");
  CHECK(first_byte(*disk, 40) == 0);
}

TEST_CASE("jbd2: a target in the journal itself is corrupt") {
  JournalBuilder journal;
  journal.log(7, {31}, 0x11).commit(7);
  CHECK(corrupt_message([&] { replay_all(journal.disk()); }) ==
        "jbd2: log block 2 is for block 0x1f, in the journal itself");
}

TEST_CASE("jbd2: a revoke block may be full") {
  JournalBuilder journal;
  journal.revoke(7, {40}, JournalBuilder::block_size).commit(7);
  CHECK(scan_log(journal.open()).transactions.at(0).revoked.size() == 252);
}

TEST_CASE("jbd2: a revoke block that claims more than it holds ends the log, and is told of") {
  JournalBuilder journal;
  journal.log(7, {40}, 0x11).commit(7).revoke(8, {40}, JournalBuilder::block_size + 1).commit(8);
  const LogScan scan = scan_log(journal.open());
  CHECK(scan.transactions.size() == 1);
  CHECK(scan.damage == "transaction 8: revoke block with 1025 bytes in use");
}

TEST_CASE("jbd2: a damaged transaction that another follows is corrupt") {
  JournalBuilder journal;
  journal.revoke(7, {40}, 15).commit(7).log(8, {40}, 0x11).commit(8);
  CHECK(corrupt_message([&] { scan_log(journal.open()); }) ==
        "jbd2: transaction 7: revoke block with 15 bytes in use, and it is not the last");
}

TEST_CASE("jbd2 superblock: a journal as long as its file is sound, one block more is corrupt") {
  JournalBuilder journal;
  CHECK_NOTHROW(journal.open());
  journal.superblock.block_count = JournalBuilder::journal_blocks + 1;
  CHECK(open_message(journal) == "jbd2: journal of 33 blocks in a file of 32");
}

TEST_CASE("jbd2 superblock: the log may start at its last block, not behind") {
  JournalBuilder journal;
  journal.superblock.start = 31;
  CHECK_NOTHROW(journal.open());
  journal.superblock.start = 32;
  CHECK(open_message(journal) == "jbd2: the log starts at block 32, outside [1, 32)");
}

TEST_CASE("jbd2 superblock: the log may be one block, not none") {
  JournalBuilder journal;
  journal.superblock.start = 0;
  journal.superblock.first = 31;
  CHECK_NOTHROW(journal.open());
  journal.superblock.first = 32;
  CHECK(open_message(journal) == "jbd2: the log's first block is 32, its end 32");
  journal.superblock.first = 0;
  CHECK(open_message(journal) == "jbd2: the log's first block is 0, its end 32");
}

TEST_CASE("jbd2 superblock: a fast commit area must leave room for the log") {
  JournalBuilder journal;
  journal.superblock.incompat = jbd2::incompat_fast_commit;
  journal.superblock.fast_commit_blocks = 30;
  CHECK(journal.open().length() == 1);
  CHECK(journal.open().fast_commit_begin() == 3);
  journal.superblock.fast_commit_blocks = 31;
  CHECK(open_message(journal) == "jbd2: the log's first block is 1, its end 1");
  journal.superblock.fast_commit_blocks = 0;  // 256
  CHECK(open_message(journal) == "jbd2: the log's first block is 1, its end 0");
}

TEST_CASE("jbd2 superblock: what is none, another block size and a wrong checksum are corrupt") {
  JournalBuilder journal;
  journal.superblock.header.type = jbd2::commit_block;
  CHECK(open_message(journal) == "jbd2: no journal superblock: magic 0xc03b3998, type 2");
  journal.superblock.header.type = jbd2::superblock_v2;
  journal.superblock.block_size = 4096;
  CHECK(open_message(journal) == "jbd2: block size is 4096, the file system's 1024");
  journal.superblock.incompat = jbd2::incompat_checksum_v3;
  CHECK(open_message(journal).starts_with("jbd2: superblock checksum is 0x00000000, expected"));
}

TEST_CASE("jbd2 superblock: unknown features are not supported, and named") {
  JournalBuilder journal;
  journal.superblock.incompat = 0x40;
  try {
    journal.open();
    FAIL("opened");
  } catch (const Error& error) {
    CHECK(error.code() == EOPNOTSUPP);
    CHECK(std::string(error.what()) == "jbd2: unknown features: incompat 0x40, ro_compat 0x0");
  }
}

TEST_CASE("jbd2 superblock: a v1 superblock has no features, whatever follows it") {
  JournalBuilder journal;
  journal.superblock.header.type = jbd2::superblock_v1;
  journal.superblock.incompat = 0xFFFFFFFF;
  CHECK_NOTHROW(journal.open());
}

// Each kind of checksum, with and without 64-bit numbers.
struct Features {
  std::uint32_t compat;
  std::uint32_t incompat;
};
constexpr Features all_features[] = {
    {0, 0},
    {0, jbd2::incompat_64bit},
    {jbd2::compat_checksum, 0},
    {jbd2::compat_checksum, jbd2::incompat_64bit},
    {0, jbd2::incompat_checksum_v2},
    {0, jbd2::incompat_checksum_v2 | jbd2::incompat_64bit},
    {0, jbd2::incompat_checksum_v3},
    {0, jbd2::incompat_checksum_v3 | jbd2::incompat_64bit},
};

// A log with transactions 7 and 8 of ours, for `features`.
DiskPtr write_two(const Features& features) {
  JournalBuilder journal;
  const DiskPtr disk = journal.disk();
  journal.superblock.compat = features.compat;
  journal.superblock.incompat = features.incompat;

  jbd2::Superblock superblock = journal.superblock;
  superblock.checksum = 0;
  superblock.checksum = ext4::crc32c(~0U, bytes_of(superblock));
  disk->write(0, bytes_of(superblock));
  const JournalLog log = JournalBuilder::open(disk);
  std::vector<std::byte> block(JournalBuilder::block_size, std::byte(0x11));
  store(block, 0, be32(jbd2::block_magic));
  write_transaction(log, *disk, 1, 7, {{40, block}, {41, block}});
  write_transaction(log, *disk, 5, 8, {{41, std::vector<std::byte>(1024, std::byte(0x22))}});
  return disk;
}

TEST_CASE("jbd2: what is written with any checksum is replayed") {
  for (const Features& features : all_features) {
    CAPTURE(features.compat);
    CAPTURE(features.incompat);
    const DiskPtr disk = write_two(features);
    CHECK(replay_all(disk).writes.size() == 2);
    CHECK(read_object<be32>(*disk, 40 * 1024) == jbd2::block_magic);
    CHECK(first_byte(*disk, 41) == 0x22);
  }
}

TEST_CASE("jbd2: with a checksum, any changed byte of the last transaction leaves it out") {
  for (const Features& features : all_features) {
    if (features.compat == 0 && (features.incompat & ~jbd2::incompat_64bit) == 0) {
      continue;
    }
    for (const std::uint32_t block : {5U, 6U, 7U}) {
      CAPTURE(features.incompat);
      CAPTURE(block);
      const DiskPtr disk = write_two(features);
      const std::uint64_t offset = block * 1024 + (block == 7 ? 17 : 900);
      disk->write(offset, bytes_of(std::uint8_t(0x77)));
      const LogScan scan = scan_log(JournalBuilder::open(disk));
      CHECK(scan.transactions.size() == 1);
      CHECK(scan.damage);
    }
  }
}

TEST_CASE("jbd2: with a checksum, a changed byte in the middle of the log is corrupt") {
  for (const Features& features : all_features) {
    if (features.compat == 0 && (features.incompat & ~jbd2::incompat_64bit) == 0) {
      continue;
    }
    CAPTURE(features.incompat);
    const DiskPtr disk = write_two(features);
    disk->write(2 * 1024 + 900, bytes_of(std::uint8_t(0x77)));
    CHECK(corrupt_message([&] {
            scan_log(JournalBuilder::open(disk));
          }).ends_with("and it is not the last"));
  }
}

TEST_CASE("jbd2: an emptied log has no transactions and goes on behind the last number") {
  const DiskPtr disk = write_two(all_features[6]);
  JournalLog log = JournalBuilder::open(disk);
  log.mark_empty(10);
  const JournalLog again = JournalBuilder::open(disk);
  CHECK(again.empty());
  CHECK(again.sequence() == 10);
}

TEST_CASE("jbd2: a journal that uses a disk block twice is seen") {
  CHECK(JournalBlocks({{0, 10, 5}, {5, 15, 5}}).distinct());
  CHECK_FALSE(JournalBlocks({{0, 10, 5}, {5, 14, 5}}).distinct());
  CHECK_FALSE(JournalBlocks({{0, 10, 5}, {5, 10, 1}}).distinct());
}

}  // namespace
}  // namespace vimg
