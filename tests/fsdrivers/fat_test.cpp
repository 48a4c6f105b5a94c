#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "fsdrivers/driver.h"
#include "tests/support/fault_disk.h"
#include "tests/support/host.h"
#include "tests/support/manifest.h"
#include "tests/support/tree.h"

namespace vimg {
namespace {

std::vector<std::byte> image_of(const std::string& name) {
  const test::TemporaryDirectory directory;
  return test::read_file(test::unpack_image(directory, "filesystems/" + name + ".raw"));
}

std::unique_ptr<FileSystem> open_fat(const DiskPtr& disk) {
  return find_filesystem_driver("vfat")->open(disk, {MountAccess::read_only, {"uid=0", "gid=0"}});
}

// The kernel numbers inodes as it meets them.
std::vector<std::string> differences(const nlohmann::json& want, const FileSystem& got) {
  auto lines = test::compare_walks(want, test::walk(got));
  std::erase_if(lines, [](const std::string& line) { return line.find(": ino: ") != line.npos; });
  return lines;
}

TEST_CASE("fat: every image shows what a kernel saw in it") {
  const auto names = test::manifest_names("filesystems", "vfat");
  CHECK(names.size() >= 6);
  for (const std::string& name : names) {
    CAPTURE(name);
    const DiskPtr disk = make_memory_disk(image_of(name));
    const auto manifest = test::read_manifest("filesystems/" + name).at("filesystems").at("disk");
    const auto probed = probe_filesystem(*disk);
    REQUIRE(probed);
    CHECK(probed->identity.type == "vfat");
    CHECK(probed->identity.label == manifest.at("info").at("LABEL"));
    CHECK(probed->identity.uuid == manifest.at("info").at("UUID"));
    const auto lines = differences(manifest.at("entries"), *open_fat(disk));
    for (std::size_t i = 0; i < lines.size() && i < 5; ++i) {
      FAIL_CHECK(lines[i]);
    }
  }
}

TEST_CASE("fat: names are found whatever their case") {
  const DiskPtr disk = make_memory_disk(image_of("vfat12"));
  const auto filesystem = open_fat(disk);
  const auto exact = filesystem->lookup(1, "README.txt");
  REQUIRE(exact);
  CHECK(filesystem->lookup(1, "readme.TXT") == exact);
  CHECK_FALSE(filesystem->lookup(1, "readme.tx"));
}

TEST_CASE("fat: a read that fails is an error, and the next one is answered") {
  const auto fault = std::make_shared<test::FaultDisk>(make_memory_disk(image_of("vfat12")));
  std::uint64_t failed = 0;
  for (std::uint64_t n = 0; n < 500; ++n) {
    fault->reads = 0;
    fault->fail_read = n;
    try {
      test::walk(*open_fat(fault));
    } catch (const Error& error) {
      CHECK(error.code() == EIO);
      ++failed;
    }
    if (fault->reads <= n) {
      break;
    }
  }
  CHECK(failed > 10);
}

TEST_CASE("fat: a chain of clusters that loops is corrupt") {
  auto bytes = image_of("vfat12");
  // Each cluster of the FAT is followed by cluster 2, which is followed by itself.
  const std::size_t table = 512 * load<le16>(bytes, 14).value();
  for (std::size_t i = 3; i < 3000; i += 3) {
    bytes[table + i] = std::byte{0x02};
    bytes[table + i + 1] = std::byte{0x20};
    bytes[table + i + 2] = std::byte{0x00};
  }
  const auto filesystem = open_fat(make_memory_disk(std::move(bytes)));
  const auto directory = filesystem->lookup(1, "big");
  REQUIRE(directory);
  try {
    filesystem->list(*directory, 0, [](const DirectoryEntry&) { return true; });
    FAIL("the loop was not seen");
  } catch (const Error& error) {
    CHECK(error.code() == EUCLEAN);
  }
}

TEST_CASE("fat: an option that it does not know is refused") {
  const DiskPtr disk = make_memory_disk(image_of("vfat12"));
  const auto* const driver = find_filesystem_driver("vfat");
  CHECK_THROWS_AS(driver->open(disk, {MountAccess::read_only, {"data=ordered"}}), Error);
  CHECK_THROWS_AS(driver->open(disk, {MountAccess::read_only, {"umask=9"}}), Error);
  const auto filesystem =
      driver->open(disk, {MountAccess::read_only, {"uid=5", "fmask=0177", "dmask=077"}});
  CHECK(filesystem->attributes(1).uid == 5);
  CHECK(filesystem->attributes(1).mode == (S_IFDIR | 0700));
}

}  // namespace
}  // namespace vimg
