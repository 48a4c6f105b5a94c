#include "guest/names.h"

#include <doctest/doctest.h>

namespace vimg {
namespace {

TEST_CASE("names: with one image a partition is named without its disk") {
  VolumeNames names(1);
  CHECK(names.disk(0).name == "disk0");
  const VolumeName partition = names.partition(0, 2);
  CHECK(partition.name == "p2");
  CHECK(partition.full_name == "disk0p2");
}

TEST_CASE("names: with several images a partition is named with its disk") {
  VolumeNames names(2);
  CHECK(names.partition(1, 2).name == "disk1p2");
  CHECK(names.partition(1, 3).full_name == "disk1p3");
}

TEST_CASE("names: a volume group of the same name gets a number") {
  VolumeNames names(2);
  const std::string first = names.group("vg0");
  const std::string second = names.group("vg0");
  CHECK(names.logical_volume(first, "root").name == "vg0/root");
  CHECK(names.logical_volume(second, "root").name == "vg0@2/root");
  CHECK(names.logical_volume(second, "root").full_name == "vg0@2/root@2");
}

TEST_CASE("names: a volume group cannot take the name of a disk or a partition") {
  VolumeNames names(1);
  names.disk(0);
  names.partition(0, 1);
  CHECK(names.group("p1") == "p1@2");
  CHECK(names.group("disk0p1") == "disk0p1@2");
  CHECK(names.group("disk0") == "disk0@2");
}

TEST_CASE("names: thousands of volumes of one name are named in no time") {
  VolumeNames names(1);
  const std::string group = names.group("vg0");
  std::string last;
  for (int i = 0; i < 100'000; ++i) {
    last = names.logical_volume(group, "root").name;
  }
  CHECK(last == "vg0/root@100000");
}

TEST_CASE("safe_file_name: what LVM allows stays") {
  CHECK(safe_file_name("a-b--c.d_e+f") == "a-b--c.d_e+f");
  CHECK(safe_file_name("..a") == "..a");
}

TEST_CASE("safe_file_name: what could leave the directory or fool a terminal is escaped") {
  CHECK(safe_file_name("") == "\\x");
  CHECK(safe_file_name(".") == "\\x2e");
  CHECK(safe_file_name("..") == "\\x2e\\x2e");
  CHECK(safe_file_name("../etc") == "..\\x2fetc");
  CHECK(safe_file_name(std::string_view("a\0b", 3)) == "a\\x00b");
  CHECK(safe_file_name("a\x1b[31m") == "a\\x1b\\x5b31m");
  CHECK(safe_file_name("root@2") == "root\\x402");
  CHECK(safe_file_name("\xc3\xa4") == "\\xc3\\xa4");
}

TEST_CASE("safe_file_name: a name of any length is a file name") {
  CHECK(safe_file_name(std::string(127, 'a')) == std::string(127, 'a'));
  CHECK(safe_file_name(std::string(100000, '/')).size() < 250);
}

}  // namespace
}  // namespace vimg
