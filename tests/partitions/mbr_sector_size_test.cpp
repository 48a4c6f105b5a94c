#include <doctest/doctest.h>

#include "partitions/scheme.h"
#include "tests/partitions/mbr_image.h"
#include "tests/partitions/table_text.h"

using namespace vimg;
using namespace vimg::test;

namespace {

constexpr std::uint32_t large_sector = 4096;

// A disk of 4096-byte sectors with one partition at 256 (+512).
MbrImage large_sector_image() { return MbrImage(1024, large_sector).entry(0, 0, 0x83, 256, 512); }

std::uint32_t sector_size_of(const Disk& disk) {
  const auto table = read_partition_table(disk);
  REQUIRE(table);
  return table->sector_size;
}

}  // namespace

TEST_CASE("mbr sector size: content where only 4096-byte sectors put it decides") {
  const auto image = large_sector_image().poke(256 * large_sector + 1080, 0x53);
  const auto table = read_partition_table(*image.disk());
  REQUIRE(table);
  CHECK(table->sector_size == large_sector);
  CHECK(places(*table) == "1:256+512");
}

TEST_CASE("mbr sector size: content where the disk's own sectors put it decides") {
  const auto image =
      large_sector_image().poke(256 * 512 + 1080, 0x53).poke(256 * large_sector, 0x53);
  CHECK(sector_size_of(*image.disk()) == 512);
}

TEST_CASE("mbr sector size: without any content it is the disk's own") {
  CHECK(sector_size_of(*large_sector_image().disk(512)) == 512);
  CHECK(sector_size_of(*large_sector_image().disk(large_sector)) == large_sector);
}

TEST_CASE("mbr sector size: an extended partition is known by its record") {
  const auto image =
      MbrImage(1024, large_sector).entry(0, 0, 0x05, 256, 512).entry(256, 0, 0x83, 8, 64);
  const auto table = read_partition_table(*image.disk());
  REQUIRE(table);
  CHECK(table->sector_size == large_sector);
  CHECK(places(*table) == "1:256+1 5:264+64");
}

TEST_CASE("mbr sector size: what would not fit with 4096-byte sectors has 512") {
  const auto image =
      MbrImage(1024, large_sector).entry(0, 0, 0x83, 256, 1024).poke(256 * large_sector, 0x53);
  CHECK(sector_size_of(*image.disk()) == 512);
}
