#include <cerrno>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "partitions/scheme.h"
#include "tests/partitions/mbr_image.h"
#include "tests/partitions/table_text.h"
#include "tests/support/fault_disk.h"

using namespace vimg;
using namespace vimg::test;

namespace {

constexpr std::uint8_t linux_type = 0x83;
constexpr std::uint8_t extended_type = 0x05;

// An extended partition at 1000 (+1000) with logical ones at 1001 (+100) and 1201 (+100).
MbrImage with_logical() {
  MbrImage image(4096);
  image.entry(0, 0, linux_type, 64, 100).entry(0, 1, extended_type, 1000, 1000);
  image.entry(1000, 0, linux_type, 1, 100).entry(1000, 1, extended_type, 200, 200);
  image.entry(1200, 0, linux_type, 1, 100);
  return image;
}

PartitionTable read_table(const MbrImage& image) {
  const auto table = read_partition_table(*image.disk());
  REQUIRE(table);
  CHECK(table->scheme == "dos");
  return *table;
}

}  // namespace

TEST_CASE("mbr: logical partitions are numbered from 5 and the extended one keeps 1 KiB") {
  const auto table = read_table(with_logical());
  CHECK(places(table) == "1:64+100 2:1000+2 5:1001+100 6:1201+100");
  CHECK(problems(table) == "");
  CHECK(table.uuid == "deadbeef");
  CHECK(table.partitions[3].uuid == "deadbeef-06");
  CHECK(table.partitions[3].type == "0x83");
  CHECK(table.partitions[3].type_name == "Linux");
}

TEST_CASE("mbr: unused primary slots keep their numbers") {
  CHECK(places(read_table(MbrImage(4096).entry(0, 2, linux_type, 64, 100))) == "3:64+100");
}

TEST_CASE("mbr: an MBR without partitions is a table without partitions") {
  CHECK(read_table(MbrImage(4096).entry(0, 0, 0, 0, 0)).partitions.empty());
}

TEST_CASE("mbr: without a disk signature there are no UUIDs") {
  auto image = MbrImage(4096).entry(0, 0, linux_type, 64, 100);
  for (std::uint64_t offset = 440; offset < 444; ++offset) {
    image.poke(offset, 0);
  }
  const auto table = read_table(image);
  CHECK(table.uuid == "");
  CHECK(table.partitions[0].uuid == "");
}

TEST_CASE("mbr: every type of extended partition is followed") {
  for (const unsigned type : {0x05U, 0x0fU, 0x85U}) {
    CHECK(places(read_table(with_logical().entry(0, 1, std::uint8_t(type), 1000, 1000))) ==
          "1:64+100 2:1000+2 5:1001+100 6:1201+100");
  }
}

TEST_CASE("mbr: a partition may end with the disk") {
  const auto table = read_table(MbrImage(4096).entry(0, 0, linux_type, 96, 4000));
  CHECK(places(table) == "1:96+4000");
  CHECK(problems(table) == "");
}

TEST_CASE("mbr: a partition that passes the disk's end by a sector is cut short") {
  const auto table = read_table(MbrImage(4096).entry(0, 0, linux_type, 96, 4001));
  CHECK(places(table) == "1:96+4000");
  CHECK(problems(table) ==
        "dos: partition 1 (sector 96 +4001) ends beyond the disk's end 0x200000; cut short\n");
}

TEST_CASE("mbr: a partition behind the disk's end is dropped") {
  const auto table = read_table(MbrImage(4096).entry(0, 0, linux_type, 4096, 1));
  CHECK(places(table) == "");
  CHECK(problems(table) ==
        "dos: partition 1 begins at sector 4096, beyond the disk's end 0x200000\n");
}

TEST_CASE("mbr: the largest numbers do not overflow") {
  const auto table = read_table(with_logical()
                                    .entry(0, 0, linux_type, 64, 0xffffffff)
                                    .entry(1000, 0, linux_type, 0xffffffff, 0xffffffff)
                                    .entry(1000, 1, extended_type, 0xffffffff, 0xffffffff));
  CHECK(places(table) == "1:64+4032 2:1000+2");
}

TEST_CASE("mbr: partitions that overlap are said") {
  const auto table = read_table(MbrImage(4096)
                                    .entry(0, 0, linux_type, 64, 100)
                                    .entry(0, 1, linux_type, 163, 100)
                                    .entry(0, 2, linux_type, 263, 100));
  CHECK(problems(table) == "dos: partitions 1 and 2 overlap at 0x14600\n");
}

TEST_CASE("mbr: a chain that returns to a record ends there") {
  const auto table = read_table(with_logical().entry(1200, 1, extended_type, 0, 200));
  CHECK(places(table) == "1:64+100 2:1000+2 5:1001+100 6:1201+100");
  CHECK(problems(table) ==
        "dos: the chain of logical partitions returns to its record at 0x7d000\n");
}

TEST_CASE("mbr: a link to a sector that is no record ends the chain") {
  const auto table = read_table(with_logical().entry(1200, 1, extended_type, 300, 200));
  CHECK(places(table) == "1:64+100 2:1000+2 5:1001+100 6:1201+100");
  CHECK(problems(table) == "dos: no extended boot record at 0xa2800\n");
}

TEST_CASE("mbr: a chain may lead backwards, as sfdisk makes it") {
  MbrImage image(4096);
  image.entry(0, 0, extended_type, 1000, 1000);
  image.entry(1000, 0, linux_type, 100, 50).entry(1000, 1, extended_type, 500, 100);
  image.entry(1500, 0, linux_type, 1, 50).entry(1500, 1, extended_type, 10, 50);
  image.entry(1010, 0, linux_type, 1, 40);
  const auto table = read_table(image);
  CHECK(places(table) == "1:1000+2 5:1100+50 6:1501+50 7:1011+40");
  CHECK(problems(table) == "");
}

TEST_CASE("mbr: 1024 records are followed, and not one more") {
  for (const unsigned records : {1024U, 1025U}) {
    MbrImage image(4096);
    image.entry(0, 0, extended_type, 1000, 3000);
    for (unsigned i = 0; i < records; ++i) {
      image.entry(1000 + 2 * i, 0, linux_type, 1, 1);
      image.entry(1000 + 2 * i, 1, extended_type, 2 * i + 2, i + 1 < records ? 2 : 0);
    }
    const auto table = read_table(image);
    CHECK(table.partitions.size() == 1025);
    CHECK(problems(table) ==
          (records == 1024 ? ""
                           : "dos: more than 1024 extended boot records; the rest is ignored\n"));
  }
}

TEST_CASE("mbr: garbage in the third and fourth slot of a record is ignored") {
  CHECK(places(read_table(with_logical().entry(1000, 2, linux_type, 150, 900))) ==
        "1:64+100 2:1000+2 5:1001+100 6:1201+100");
  CHECK(places(read_table(with_logical().entry(1000, 2, linux_type, 150, 40))) ==
        "1:64+100 2:1000+2 5:1001+100 6:1150+40 7:1201+100");
}

TEST_CASE("mbr: a logical partition outside the extended one is kept and said") {
  const auto table = read_table(with_logical().entry(1200, 0, linux_type, 900, 50));
  CHECK(places(table) == "1:64+100 2:1000+2 5:1001+100 6:2100+50");
  CHECK(problems(table) == "dos: partition 6 leaves the extended partition at sector 1000\n");
}

TEST_CASE("mbr: a boot flag other than 0 and 0x80 means that there is no table") {
  CHECK(read_partition_table(*MbrImage(64).entry(0, 0, 0x83, 1, 1).poke(446, 0x80).disk()));
  CHECK_FALSE(read_partition_table(*MbrImage(64).entry(0, 0, 0x83, 1, 1).poke(446, 0x81).disk()));
  CHECK_FALSE(read_partition_table(*MbrImage(64).entry(0, 0, 0x83, 1, 1).poke(494, 0x01).disk()));
}

TEST_CASE("mbr: without the signature there is no table") {
  CHECK_FALSE(read_partition_table(*MbrImage(64).entry(0, 0, 0x83, 1, 1).poke(511, 0xab).disk()));
}

TEST_CASE("mbr: a read that fails is an error, not an empty table") {
  for (std::uint64_t n = 0; n < 3; ++n) {
    FaultDisk disk(with_logical().disk());
    disk.fail_read = n;
    CHECK_THROWS_AS(read_partition_table(disk), Error);
  }
}
