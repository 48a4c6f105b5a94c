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

TEST_CASE("ext4 recovery: a dirty journal is replayed and the mark cleared") {
  const DiskPtr disk = load_image("ext3-dirty");
  CHECK(ext4_needs_recovery(*disk));
  const RecoveryReport report = recover_ext4(disk);
  CHECK(report.transactions == 8);
  CHECK(report.blocks == 49);
  CHECK_FALSE(report.damage);
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
