#include <map>

#include <doctest/doctest.h>

#include "disk/memory_disk.h"
#include "disk/slice.h"
#include "lvm/lvm.h"
#include "tests/support/host.h"
#include "tests/support/manifest.h"

using namespace vimg;
using namespace vimg::test;

namespace {

DiskPtr sample(const TemporaryDirectory& directory, const std::string& name) {
  return make_memory_disk(read_file(unpack_image(directory, "lvm/" + name + ".raw")));
}

// From sector `start` to what GPT leaves for its backup.
DiskPtr partition(const DiskPtr& disk, std::uint64_t start_sectors) {
  return make_slice(disk, start_sectors * 512, disk->size() - (start_sectors + 33) * 512);
}

std::vector<VolumeGroup> assemble(const std::vector<DiskPtr>& disks) {
  std::vector<PhysicalVolumeDisk> candidates;
  for (const DiskPtr& disk : disks) {
    auto pv = read_physical_volume(*disk);
    REQUIRE(pv);
    CHECK(pv->problems.empty());
    candidates.push_back({*pv, disk});
  }
  std::vector<std::string> problems;
  auto groups = assemble_volume_groups(candidates, problems);
  CHECK(problems.empty());
  return groups;
}

const LogicalVolume& find(const VolumeGroup& group, const std::string& name) {
  for (const LogicalVolume& volume : group.volumes) {
    if (volume.name == name) {
      return volume;
    }
  }
  FAIL("no volume ", name);
  return group.volumes.front();
}

// Every logical volume of `manifest` has the kernel's bytes.
void check_volumes(const VolumeGroup& group, const std::string& manifest) {
  for (const ManifestVolume& expected : manifest_volumes("lvm/" + manifest)) {
    if (!expected.name.starts_with(group.name + "_")) {
      continue;
    }
    const LogicalVolume& volume = find(group, expected.name.substr(group.name.size() + 1));
    CAPTURE(volume.name);
    CHECK(volume.problem == "");
    CHECK(volume.size == expected.bytes);
    REQUIRE(volume.disk);
    CHECK(sha256_of(*volume.disk) == expected.sha256);
  }
}

}  // namespace

TEST_CASE("lvm: fragmented volumes have the kernel's bytes") {
  const TemporaryDirectory directory;
  const auto groups = assemble({partition(sample(directory, "linear-frag"), 6144)});
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].name == "vg0");
  CHECK(groups[0].problems.empty());
  CHECK(find(groups[0], "root").segment_types == "linear");
  check_volumes(groups[0], "linear-frag");
}

TEST_CASE("lvm: a text that wraps around its metadata area is read") {
  const TemporaryDirectory directory;
  const auto groups = assemble({sample(directory, "metadata-wrap")});
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].name == "newname");
  check_volumes(groups[0], "metadata-wrap");
}

TEST_CASE("lvm: a PV with a boot loader area and its own alignment is read") {
  const TemporaryDirectory directory;
  const auto groups = assemble({sample(directory, "whole-disk")});
  REQUIRE(groups.size() == 1);
  check_volumes(groups[0], "whole-disk");
}

TEST_CASE("lvm: a group on two disks is put together in either order") {
  const TemporaryDirectory directory;
  const DiskPtr a = sample(directory, "two-disks-a");
  const DiskPtr b = partition(sample(directory, "two-disks-b"), 2048);
  for (const auto& disks : {std::vector{a, b}, std::vector{b, a}}) {
    const auto groups = assemble(disks);
    REQUIRE(groups.size() == 1);
    CHECK(groups[0].missing_pv_uuids.empty());
    CHECK(groups[0].problems.empty());
    check_volumes(groups[0], "two-disks");
  }
}

TEST_CASE("lvm: without one of two disks the volumes on the other can be read") {
  const TemporaryDirectory directory;
  const auto groups = assemble({sample(directory, "two-disks-a")});
  REQUIRE(groups.size() == 1);
  REQUIRE(groups[0].missing_pv_uuids.size() == 1);
  const std::string missing = "lvm: PV " + groups[0].missing_pv_uuids[0] + " is missing";
  CHECK(find(groups[0], "on1").disk);
  CHECK(find(groups[0], "on2").problem == "vg2/on2: " + missing);
  CHECK(find(groups[0], "span").problem == "vg2/span: " + missing);
  CHECK_FALSE(find(groups[0], "span").disk);
  CHECK(find(groups[0], "span").size == 26214400);
}
