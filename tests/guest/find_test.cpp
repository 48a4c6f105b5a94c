#include "guest/find.h"

#include <doctest/doctest.h>

namespace vimg {
namespace {

const FileSystemDriver no_driver{"none", "for tests", nullptr, nullptr};

Volume named(VolumeKind kind, std::size_t image, std::string name, std::string full_name) {
  Volume volume;
  volume.kind = kind;
  volume.image = image;
  volume.size = 0;
  volume.name = std::move(name);
  volume.full_name = std::move(full_name);
  return volume;
}

// One disk with two partitions, and two volume groups that are both called debian-vg.
struct Parts {
  std::vector<Volume> volumes;
  std::vector<VolumeGroup> groups;

  std::string find(std::string_view name) const {
    const Volume* found = only_volume(find_volumes(volumes, groups, name), name);
    return found == nullptr ? "" : found->name;
  }
};

Parts valid_parts() {
  Parts parts;
  parts.volumes.push_back(named(VolumeKind::disk, 0, "disk0", "disk0"));
  for (const unsigned number : {1U, 2U}) {
    const std::string name = "p" + std::to_string(number);
    Volume volume = named(VolumeKind::partition, 0, name, "disk0" + name);
    volume.partition = Partition{number, 0, 0, "", "", "boot part", "f2820b92-1e24-01", false};
    volume.partition->uuid += std::to_string(number);
    volume.filesystem = ProbedFileSystem{&no_driver, {"ext4", "twin", "ABCD-000"}};
    volume.filesystem->identity.uuid += std::to_string(number);
    parts.volumes.push_back(std::move(volume));
  }
  parts.volumes[2].partition->label = "root";
  for (const std::size_t group : {0U, 1U}) {
    const std::string name = group == 0 ? "debian-vg/root" : "debian-vg@2/root";
    Volume volume = named(VolumeKind::logical_volume, group, name, name);
    volume.group = group;
    volume.uuid = "AAAAAA-BBBB-" + std::to_string(group);
    parts.volumes.push_back(std::move(volume));
    parts.groups.push_back({"debian-vg", "CCCCCC-DDDD", 1, 4096, {}, {}, {}, {}});
  }
  return parts;
}

TEST_CASE("find: own names, short and full") {
  const Parts parts = valid_parts();
  CHECK(parts.find("p2") == "p2");
  CHECK(parts.find("disk0p2") == "p2");
  CHECK(parts.find("disk0") == "disk0");
  CHECK(parts.find("debian-vg@2/root") == "debian-vg@2/root");
  CHECK(parts.find("p3").empty());
  CHECK(parts.find("").empty());
}

TEST_CASE("find: device names of every driver") {
  const Parts parts = valid_parts();
  CHECK(parts.find("/dev/sda2") == "p2");
  CHECK(parts.find("/dev/vda1") == "p1");
  CHECK(parts.find("/dev/nvme0n1p2") == "p2");
  CHECK(parts.find("/dev/sda") == "disk0");
  CHECK(parts.find("/dev/sdb1").empty());
  CHECK(parts.find("/dev/sda3").empty());
}

TEST_CASE("find: UUIDs in either case, quoted or not") {
  const Parts parts = valid_parts();
  CHECK(parts.find("UUID=abcd-0001") == "p1");
  CHECK(parts.find("UUID=\"ABCD-0002\"") == "p2");
  CHECK(parts.find("/dev/disk/by-uuid/abcd-0001") == "p1");
  CHECK(parts.find("PARTUUID=F2820B92-1E24-011") == "p1");
  CHECK(parts.find("/dev/disk/by-partuuid/f2820b92-1e24-012") == "p2");
  CHECK(parts.find("UUID=").empty());
  CHECK(parts.find("UUID=\"").empty());
}

TEST_CASE("find: labels as they are, with udev's escapes in paths") {
  const Parts parts = valid_parts();
  CHECK(parts.find("PARTLABEL='boot part'") == "p1");
  CHECK(parts.find("/dev/disk/by-partlabel/boot\\x20part") == "p1");
  CHECK(parts.find("PARTLABEL=ROOT").empty());
}

TEST_CASE("find: a label that two volumes have names neither") {
  const Parts parts = valid_parts();
  CHECK(find_volumes(parts.volumes, parts.groups, "LABEL=twin").size() == 2);
  CHECK(parts.find("LABEL=twin").empty());
}

TEST_CASE("find: a logical volume by the paths that guests use") {
  Parts parts = valid_parts();
  parts.groups[1].name = "other";
  CHECK(parts.find("/dev/debian-vg/root") == "debian-vg/root");
  CHECK(parts.find("/dev/mapper/debian--vg-root") == "debian-vg/root");
  CHECK(parts.find("/dev/disk/by-id/dm-name-debian--vg-root") == "debian-vg/root");
  CHECK(parts.find("/dev/disk/by-id/dm-uuid-LVM-CCCCCCDDDDAAAAAABBBB0") == "debian-vg/root");
  CHECK(parts.find("/dev/mapper/debian-vg-root").empty());
}

TEST_CASE("find: of two groups of one name the path means the one that is named so here") {
  const Parts parts = valid_parts();
  CHECK(find_volumes(parts.volumes, parts.groups, "/dev/debian-vg/root").size() == 2);
  CHECK(parts.find("/dev/debian-vg/root") == "debian-vg/root");
  CHECK(parts.find("/dev/debian-vg@2/root") == "debian-vg@2/root");
}

}  // namespace
}  // namespace vimg
