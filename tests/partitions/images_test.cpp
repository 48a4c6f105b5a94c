#include <map>
#include <set>

#include <doctest/doctest.h>

#include "disk/memory_disk.h"
#include "disk/slice.h"
#include "partitions/scheme.h"
#include "tests/partitions/table_text.h"
#include "tests/support/host.h"
#include "tests/support/manifest.h"

using namespace vimg;
using namespace vimg::test;

namespace {

DiskPtr sample(const TemporaryDirectory& directory, const std::string& name) {
  return make_memory_disk(read_file(unpack_image(directory, "partitions/" + name + ".raw")));
}

// Every volume that the kernel saw is a partition of that number, with its bytes.
void check_volumes(const DiskPtr& disk, const PartitionTable& table, const std::string& name) {
  std::map<std::string, Partition> by_name;
  for (const Partition& partition : table.partitions) {
    by_name["p" + std::to_string(partition.number)] = partition;
  }
  for (const ManifestVolume& volume : manifest_volumes("partitions/" + name)) {
    CAPTURE(volume.name);
    REQUIRE(by_name.contains(volume.name));
    const Partition& partition = by_name[volume.name];
    REQUIRE(partition.length == volume.bytes);
    CHECK(sha256_of(*make_slice(disk, partition.offset, partition.length)) == volume.sha256);
  }
}

}  // namespace

TEST_CASE("partitions: every volume of the real images has the kernel's bytes") {
  const TemporaryDirectory directory;
  const std::map<std::string, std::string> problem_of = {
      {"gpt-12", ""},
      {"gpt-4k", ""},
      {"mbr-logical", ""},
      {"gpt-backup-only",
       "gpt: the primary header in sector 1 cannot be used (it has no signature); the backup in "
       "sector 32767 is used\n"},
      {"gpt-bad-primary-crc",
       "gpt: the primary header in sector 1 cannot be used (the CRC of its entries is 0x2bfd8d81, "
       "not 0x205d2cc8); the backup in sector 32767 is used\n"},
      {"gpt-hybrid-mbr", "gpt: the MBR is a hybrid one; its own partitions are ignored\n"},
  };
  for (const auto& [name, problem] : problem_of) {
    CAPTURE(name);
    const DiskPtr disk = sample(directory, name);
    const auto table = read_partition_table(*disk);
    REQUIRE(table);
    CHECK(table->scheme == (name == "mbr-logical" ? "dos" : "gpt"));
    CHECK(problems(*table) == problem);
    check_volumes(disk, *table, name);
  }
}

TEST_CASE("partitions: a GPT of 4096-byte sectors is found on a disk attached with 512") {
  const TemporaryDirectory directory;
  const auto table = read_partition_table(*sample(directory, "gpt-4k"));
  REQUIRE(table);
  CHECK(table->sector_size == 4096);
}

TEST_CASE("partitions: a file system that fills the disk is no table") {
  const TemporaryDirectory directory;
  CHECK_FALSE(read_partition_table(*sample(directory, "whole-ext4")));
}

TEST_CASE("partitions: an empty disk, and one too small for a sector, hold no table") {
  CHECK_FALSE(read_partition_table(*make_memory_disk(std::vector<std::byte>(1 << 20))));
  CHECK_FALSE(read_partition_table(*make_memory_disk(std::vector<std::byte>(511))));
  CHECK_FALSE(read_partition_table(*make_memory_disk({})));
}
