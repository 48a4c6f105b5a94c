#include "fsdrivers/ext4_recovery.h"

#include <doctest/doctest.h>

#include "disk/disk.h"
#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/support/host.h"

namespace vimg {
namespace {

DiskPtr load_image(const std::string& name) {
  const test::TemporaryDirectory directory;
  return make_memory_disk(
      test::read_file(test::unpack_image(directory, "filesystems/" + name + ".raw")));
}

std::vector<std::byte> content(const Disk& disk) {
  std::vector<std::byte> all(disk.size());
  disk.read(0, all);
  return all;
}

// e2fsck's verdict on what `disk` holds; it changes nothing.
test::CommandResult check_with_e2fsck(const Disk& disk) {
  const test::TemporaryDirectory directory;
  test::write_file(directory / "image", content(disk));
  return test::run("e2fsck -fn " + (directory / "image"));
}

struct DirtyImage {
  const char* name;
  std::uint64_t transactions;
  std::uint64_t blocks;
  std::uint64_t fast_commit_tags;
  std::uint64_t orphans;
};

constexpr DirtyImage dirty_images[] = {
    {"ext3-dirty", 8, 49, 0, 1},
    {"ext4-dirty", 109, 176, 0, 1},
    {"ext4-dirty-1k-csum3", 10, 167, 0, 1},
    {"ext4-dirty-datajournal", 9, 391, 0, 1},
    {"ext4-dirty-fastcommit", 4, 177, 6, 0},
    {"ext4-dirty-fastcommit-simple", 9, 89, 48, 0},
};

TEST_CASE("ext4 recovery: after a power cut e2fsck finds nothing left to do") {
  if (!test::have("e2fsck")) {
    MESSAGE("skipped: no e2fsck");
    return;
  }
  for (const DirtyImage& image : dirty_images) {
    CAPTURE(image.name);
    const DiskPtr disk = load_image(image.name);
    CHECK(ext4_needs_recovery(*disk));
    const RecoveryReport report = recover_ext4(disk);
    CHECK(report.transactions == image.transactions);
    CHECK(report.blocks == image.blocks);
    CHECK(report.fast_commit_tags == image.fast_commit_tags);
    CHECK(report.orphans_deleted == image.orphans);
    CHECK_FALSE(report.damage);
    CHECK_FALSE(ext4_needs_recovery(*disk));
    const auto verdict = check_with_e2fsck(*disk);
    CHECK_MESSAGE(verdict.exit_code == 0, verdict.output);
  }
}

TEST_CASE("ext4 recovery: a second recovery changes nothing") {
  const DiskPtr disk = load_image("ext3-dirty");
  recover_ext4(disk);
  const auto once = content(*disk);
  CHECK(describe(recover_ext4(disk)).empty());
  CHECK(content(*disk) == once);
}

TEST_CASE("ext4 recovery: a clean file system needs none and is not written") {
  const DiskPtr disk = load_image("ext3");
  CHECK_FALSE(ext4_needs_recovery(*disk));
  const auto before = content(*disk);
  CHECK(describe(recover_ext4(disk)).empty());
  CHECK(content(*disk) == before);
}

TEST_CASE("ext4 recovery: what is no ext4 needs none") {
  CHECK_FALSE(ext4_needs_recovery(*make_memory_disk(std::vector<std::byte>(2047))));
  CHECK_FALSE(ext4_needs_recovery(*make_memory_disk(std::vector<std::byte>(4096))));
}

}  // namespace
}  // namespace vimg
