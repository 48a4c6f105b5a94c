#include "guest/assembly.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "disk/memory_disk.h"
#include "tests/support/host.h"

namespace vimg {
namespace {

Image image_of(std::vector<std::byte> content, std::uint32_t sector_size = 512) {
  Image image;
  image.disk = make_memory_disk(std::move(content), sector_size);
  return image;
}

Image sample(const std::string& name, std::uint32_t sector_size = 512) {
  const test::TemporaryDirectory directory;
  return image_of(test::read_file(test::unpack_image(directory, name)), sector_size);
}

Assembly assembled(std::vector<std::string> names) {
  std::vector<Image> images;
  for (const std::string& name : names) {
    images.push_back(sample(name));
  }
  return assemble(std::move(images));
}

std::string names_of(const Assembly& assembly) {
  std::string names;
  for (const Volume& volume : assembly.volumes) {
    names += (names.empty() ? "" : " ") + volume.name;
  }
  return names;
}

const Volume& named(const Assembly& assembly, const std::string& name) {
  const auto found = std::ranges::find(assembly.volumes, name, &Volume::name);
  REQUIRE(found != assembly.volumes.end());
  return *found;
}

TEST_CASE("assembly: a disk that holds nothing is a disk") {
  std::vector<Image> images;
  images.push_back(image_of(std::vector<std::byte>(1U << 20)));
  const Assembly assembly = assemble(std::move(images));
  CHECK(names_of(assembly) == "disk0");
  CHECK(assembly.problems.empty());
}

TEST_CASE("assembly: partitions lie in their disk") {
  const Assembly assembly = assembled({"partitions/mbr-logical.raw"});
  CHECK(names_of(assembly).starts_with("disk0 p1 p2 p3 "));
  CHECK(assembly.volumes[0].table == "dos");
  CHECK(assembly.volumes[0].uuid == "4eb9d393");
  const Volume& logical = named(assembly, "p5");
  CHECK(logical.full_name == "disk0p5");
  CHECK(logical.kind == VolumeKind::partition);
  CHECK(logical.parent == 0U);
  CHECK(logical.size == 8192 * 512);
  CHECK(logical.disk->size() == logical.size);
}

TEST_CASE("assembly: a volume group on several images is put together") {
  const Assembly assembly = assembled({"lvm/two-disks-a.raw", "lvm/two-disks-b.raw"});
  CHECK(names_of(assembly) == "disk0 disk1 disk1p1 vg2/on1 vg2/on2 vg2/span");
  CHECK(assembly.problems.empty());
  CHECK(assembly.volumes[0].pv);
  CHECK(named(assembly, "disk1p1").pv);
  CHECK(named(assembly, "vg2/span").disk);
  CHECK(named(assembly, "vg2/span").group == 0U);
  CHECK(assembly.groups.size() == 1);
}

TEST_CASE("assembly: with a physical volume missing the others' volumes are there") {
  const Assembly assembly = assembled({"lvm/two-disks-a.raw"});
  CHECK(names_of(assembly) == "disk0 vg2/on1 vg2/on2 vg2/span");
  CHECK(named(assembly, "vg2/on1").disk);
  CHECK_FALSE(named(assembly, "vg2/on2").disk);
  CHECK_FALSE(named(assembly, "vg2/on2").problem.empty());
  CHECK_FALSE(assembly.problems.empty());
}

TEST_CASE("assembly: clones of one disk are put together apart") {
  const Assembly assembly = assembled({"lvm/whole-disk.raw", "lvm/whole-disk.raw"});
  CHECK(names_of(assembly) == "disk0 disk1 vgwhole/all vgwhole@2/all");
  CHECK(named(assembly, "vgwhole/all").image == 0);
  CHECK(named(assembly, "vgwhole@2/all").image == 1);
  CHECK(named(assembly, "vgwhole@2/all").disk);
}

TEST_CASE("assembly: a file system that fills the disk is the disk's") {
  const Assembly assembly = assembled({"partitions/whole-ext4.raw"});
  CHECK(names_of(assembly) == "disk0");
  CHECK_FALSE(assembly.volumes[0].table);
}

}  // namespace
}  // namespace vimg
