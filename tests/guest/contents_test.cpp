#include "guest/contents.h"

#include <doctest/doctest.h>

#include "disk/memory_disk.h"
#include "tests/support/fault_disk.h"

namespace vimg {
namespace {

const FileSystemDriver no_driver{"none", "for tests", nullptr, nullptr};

// A disk on which all three were found.
Contents valid_contents(const char* type, const char* scheme) {
  Contents contents;
  contents.filesystem = ProbedFileSystem{&no_driver, {type, "", ""}};
  contents.table = PartitionTable{scheme, "", 512, {}, {}};
  contents.table->partitions.push_back({1, 512, 512, "0x83", "", "", "", false});
  return contents;
}

TEST_CASE("contents: a table with partitions rules over what was there before") {
  Contents contents = valid_contents("ext4", "dos");
  contents.pv.emplace();
  keep_what_rules(contents);
  CHECK(contents.table);
  CHECK_FALSE(contents.filesystem);
  CHECK_FALSE(contents.pv);
}

TEST_CASE("contents: FAT and NTFS rule over what looks like an MBR in their boot code") {
  for (const char* type : {"vfat", "exfat", "ntfs"}) {
    Contents contents = valid_contents(type, "dos");
    keep_what_rules(contents);
    CHECK(contents.filesystem);
    CHECK_FALSE(contents.table);
  }
}

TEST_CASE("contents: a GPT rules over FAT, as it has checksums") {
  Contents contents = valid_contents("vfat", "gpt");
  keep_what_rules(contents);
  CHECK(contents.table);
  CHECK_FALSE(contents.filesystem);
}

TEST_CASE("contents: a hybrid ISO is a table and a file system") {
  Contents contents = valid_contents("iso9660", "dos");
  keep_what_rules(contents);
  CHECK(contents.table);
  CHECK(contents.filesystem);
}

TEST_CASE("contents: a file system rules over a table without partitions") {
  Contents contents = valid_contents("ext4", "dos");
  contents.table->partitions.clear();
  keep_what_rules(contents);
  CHECK(contents.filesystem);
  CHECK_FALSE(contents.table);
}

TEST_CASE("contents: a physical volume rules over a file system") {
  Contents contents = valid_contents("ext4", "dos");
  contents.table.reset();
  contents.pv.emplace();
  keep_what_rules(contents);
  CHECK(contents.pv);
  CHECK_FALSE(contents.filesystem);
}

TEST_CASE("contents: an empty disk holds nothing, and that is no problem") {
  for (const std::size_t size : {0U, 1U, 511U, 512U, 4096U, 1U << 20}) {
    const DiskPtr disk = make_memory_disk(std::vector<std::byte>(size));
    const Contents contents = look_into(*disk, Tables::read);
    CHECK_FALSE(contents.table);
    CHECK_FALSE(contents.filesystem);
    CHECK_FALSE(contents.pv);
    CHECK(contents.problems.empty());
  }
}

TEST_CASE("contents: a read that fails is a problem and no exception") {
  const auto disk =
      std::make_shared<test::FaultDisk>(make_memory_disk(std::vector<std::byte>(1U << 20)));
  look_into(*disk, Tables::read);
  const std::uint64_t reads = disk->reads;
  REQUIRE(reads > 0);
  for (std::uint64_t n = 0; n < reads; ++n) {
    disk->reads = 0;
    disk->fail_read = n;
    CHECK_NOTHROW(look_into(*disk, Tables::read));
  }
}

}  // namespace
}  // namespace vimg
