#include <doctest/doctest.h>

#include "disk/memory_disk.h"
#include "disk/slice.h"
#include "partitions/scheme.h"
#include "tests/partitions/mbr_image.h"
#include "tests/support/host.h"

using namespace vimg;
using namespace vimg::test;

namespace {

bool ends_with_signature(const Disk& disk) { return read_mbr_sector(disk, 0).has_value(); }

}  // namespace

TEST_CASE("partitions: a FAT or NTFS volume without a table is no MBR") {
  const TemporaryDirectory directory;
  const DiskPtr disk =
      make_memory_disk(read_file(unpack_image(directory, "partitions/mbr-logical.raw")));
  const auto table = read_partition_table(*disk);
  REQUIRE(table);
  int volumes = 0;
  for (const Partition& partition : table->partitions) {
    const DiskPtr volume = make_slice(disk, partition.offset, partition.length);
    if (partition.type != "0x5" && ends_with_signature(*volume)) {
      CAPTURE(partition.number);
      CHECK_FALSE(read_partition_table(*volume));
      ++volumes;
    }
  }
  CHECK(volumes == 3);  // two of FAT, one of NTFS
}

TEST_CASE("partitions: an exFAT volume without a table is no MBR") {
  auto image = MbrImage(64).entry(0, 0, 0x83, 1, 1);
  CHECK(read_partition_table(*image.disk()));
  for (std::uint64_t i = 0; i < 8; ++i) {
    image.poke(3 + i, std::uint8_t("EXFAT   "[i]));
  }
  CHECK_FALSE(read_partition_table(*image.disk()));
}
