#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "fsdrivers/ext4_recovery.h"
#include "tests/fsdrivers/ext4_crash_image.h"
#include "tests/support/fault_disk.h"

namespace vimg {
namespace {

std::vector<std::byte> content(const Disk& disk) {
  std::vector<std::byte> all(disk.size());
  disk.read(0, all);
  return all;
}

// What the log and the orphans of make_crash_image must have come to.
void check_recovered(const Disk& disk) {
  CHECK(read_object<std::uint8_t>(disk, 3000 * 1024) == 'J');
  CHECK(read_object<be32>(disk, 3001 * 1024) == 0xC03B3998);
  CHECK(read_object<std::uint8_t>(disk, 3001 * 1024 + 4) == 'K');
  CHECK(read_object<std::uint8_t>(disk, 3002 * 1024) == 0);
  CHECK_FALSE(ext4_needs_recovery(disk));
  const test::Verdict verdict = test::check_with_e2fsck(content(disk));
  CHECK_MESSAGE(verdict.exit_code == 0, verdict.words);
}

// Recovery on a copy of `image`, with fail_read or fail_write set to `number`.
bool recovers(const std::shared_ptr<test::FaultDisk>& disk) {
  try {
    recover_ext4(disk);
    return true;
  } catch (const Error& error) {
    CHECK(error.code() == EIO);
    return false;
  }
}

TEST_CASE("ext4 recovery: debugfs's journals of every kind are replayed") {
  if (!test::have_e2fsprogs()) {
    return;
  }
  constexpr const char* kinds[][2] = {
      {"metadata_csum,64bit", "-c"},        {"metadata_csum,^64bit", "-c -v 3"},
      {"metadata_csum,^64bit", "-c -v 2"},  {"metadata_csum,64bit", "-c -v 2"},
      {"^metadata_csum,64bit", ""},         {"^metadata_csum,^64bit", ""},
      {"^extent,^64bit,^metadata_csum", ""}};
  for (const auto& [features, journal_options] : kinds) {
    CAPTURE(features);
    const DiskPtr disk = make_memory_disk(test::make_crash_image(features, journal_options));
    const RecoveryReport report = recover_ext4(disk);
    CHECK(report.transactions == 3);
    CHECK(report.revoked == 1);
    CHECK(report.orphans_deleted == 1);
    CHECK(report.orphans_truncated == 1);
    check_recovered(*disk);
  }
}

// debugfs sums up a revoke block for v1, which neither the kernel nor e2fsck does.
TEST_CASE("ext4 recovery: a wrong last transaction is left out, told of, and marked") {
  if (!test::have_e2fsprogs()) {
    return;
  }
  const DiskPtr disk = make_memory_disk(test::make_crash_image("^metadata_csum", "-c -v 1"));
  const RecoveryReport report = recover_ext4(disk);
  CHECK(report.transactions == 2);
  CHECK(report.damage == "transaction 3: wrong checksum in the commit block");
  CHECK(report.orphans_deleted == 0);
  CHECK(read_object<std::uint8_t>(*disk, 3002 * 1024) == 'J');
  CHECK((read_object<le16>(*disk, 1024 + 0x3A) & 2) != 0);
}

TEST_CASE("ext4 recovery: whichever write fails, it can be begun again with the same result") {
  if (!test::have_e2fsprogs()) {
    return;
  }
  const auto image = test::make_crash_image("metadata_csum,64bit", "-c");
  for (std::uint64_t number = 0;; ++number) {
    CAPTURE(number);
    const DiskPtr memory = make_memory_disk(image);
    const auto faulty = std::make_shared<test::FaultDisk>(memory);
    faulty->fail_write = number;
    if (recovers(faulty)) {
      CHECK(number >= 15);
      break;
    }
    recover_ext4(memory);
    check_recovered(*memory);
  }
}

TEST_CASE("ext4 recovery: whichever read fails, it is told of") {
  if (!test::have_e2fsprogs()) {
    return;
  }
  const auto image = test::make_crash_image("metadata_csum,64bit", "-c");
  const DiskPtr memory = make_memory_disk(image);
  for (std::uint64_t number = 0;; ++number) {
    CAPTURE(number);
    const auto faulty = std::make_shared<test::FaultDisk>(make_memory_disk(image));
    faulty->fail_read = number;
    if (recovers(faulty)) {
      CHECK(faulty->reads == number);
      break;
    }
  }
}

TEST_CASE("ext4 recovery: the superblock's backup stands in for a lost journal inode") {
  if (!test::have_e2fsprogs()) {
    return;
  }
  const DiskPtr disk = make_memory_disk(test::make_crash_image("^metadata_csum", ""));
  // Inode 8 of 256 bytes, in the table that the first group descriptor names.
  const std::uint64_t table = read_object<le32>(*disk, 2 * 1024 + 8);
  disk->write_zeros(table * 1024 + 7 * 256, 256);
  CHECK(recover_ext4(disk).transactions == 3);
}

TEST_CASE("ext4 recovery: without journal inode and backup it is corrupt") {
  if (!test::have_e2fsprogs()) {
    return;
  }
  const DiskPtr disk = make_memory_disk(test::make_crash_image("^metadata_csum", ""));
  const std::uint64_t table = read_object<le32>(*disk, 2 * 1024 + 8);
  disk->write_zeros(table * 1024 + 7 * 256, 256);
  disk->write_zeros(1024 + 0xFD, 1);
  const auto before = content(*disk);
  try {
    recover_ext4(disk);
    FAIL("recovered");
  } catch (const Error& error) {
    CHECK(error.code() == EUCLEAN);
    CHECK(std::string(error.what()) == "ext4: no journal in inode 8 nor where its backup points");
  }
  CHECK(content(*disk) == before);
}

TEST_CASE("ext4 recovery: a list of orphans that goes round ends") {
  if (!test::have_e2fsprogs()) {
    return;
  }
  const DiskPtr disk = make_memory_disk(test::make_crash_image("^metadata_csum", ""));
  const std::uint64_t table = read_object<le32>(*disk, 2 * 1024 + 8);
  disk->write(table * 1024 + 12 * 256 + 20, bytes_of(le32(12)));  // 13's next is 12
  const RecoveryReport report = recover_ext4(disk);
  CHECK(report.orphans_deleted == 1);
  CHECK(report.orphans_truncated == 1);
  check_recovered(*disk);
}

TEST_CASE("ext4 recovery: an orphan whose extents are broken is left, and marked") {
  if (!test::have_e2fsprogs()) {
    return;
  }
  const DiskPtr disk = make_memory_disk(test::make_crash_image("^metadata_csum", ""));
  const std::uint64_t table = read_object<le32>(*disk, 2 * 1024 + 8);
  disk->write(table * 1024 + 11 * 256 + 40 + 20, bytes_of(le32(0xFFFFFF)));  // the first extent
  const RecoveryReport report = recover_ext4(disk);
  CHECK(report.orphans_skipped == 1);
  CHECK(report.orphans_truncated == 1);
  CHECK((read_object<le16>(*disk, 1024 + 0x3A) & 2) != 0);
}

}  // namespace
}  // namespace vimg
