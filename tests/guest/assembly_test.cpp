#include "guest/assembly.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "disk/memory_disk.h"
#include "tests/lvm/pv_image.h"
#include "tests/support/fault_disk.h"
#include "tests/support/host.h"
#include "tests/support/manifest.h"

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

TEST_CASE("assembly: a volume that holds its own physical volume does not go on for ever") {
  std::string text = test::vg_text(test::lv_text("lv", "48", "pv0", "0"));
  const std::string start = "pe_start = 128";
  text.replace(text.find(start), start.size(), "pe_start = 0");
  std::vector<Image> images;
  images.push_back(image_of(test::pv_image(text).content));
  const Assembly assembly = assemble(std::move(images));
  CHECK(names_of(assembly) == "disk0 vg/lv");
  CHECK(std::ranges::count(assembly.problems,
                           "vg/lv: lvm: PV 000000-0000-0000-0000-0000-0000-0000pA is in this "
                           "image already") == 1);
}

TEST_CASE("assembly: a label that is broken is a problem of its volume") {
  test::PvImage image = test::pv_image(test::vg_text(""));
  image.content[test::PvImage::label_offset + 100] ^= std::byte{1};
  std::vector<Image> images;
  images.push_back(image_of(image.content));
  const Assembly assembly = assemble(std::move(images));
  CHECK_FALSE(assembly.volumes[0].pv);
  REQUIRE(assembly.problems.size() == 1);
  CHECK(assembly.problems[0].starts_with("disk0: lvm: "));
}

TEST_CASE("assembly: whichever read fails, it is a problem and no exception") {
  const auto disk = std::make_shared<test::FaultDisk>(
      test::pv_image(test::vg_text(test::lv_text("lv", "8", "pv0", "0"))).disk());
  const auto assemble_again = [&] {
    disk->reads = 0;
    std::vector<Image> images(1);
    images[0].disk = disk;
    return assemble(std::move(images));
  };
  assemble_again();
  const std::uint64_t reads = disk->reads;
  REQUIRE(reads > 0);
  for (std::uint64_t n = 0; n < reads; ++n) {
    disk->fail_read = n;
    CHECK_FALSE(assemble_again().problems.empty());
  }
}

TEST_CASE("assembly: the volumes are those that the kernel saw, byte for byte") {
  const std::vector<std::pair<std::string, std::vector<std::string>>> samples{
      {"partitions/gpt-12", {"partitions/gpt-12.raw"}},
      {"partitions/gpt-4k", {"partitions/gpt-4k.raw"}},
      {"partitions/gpt-backup-only", {"partitions/gpt-backup-only.raw"}},
      {"partitions/gpt-hybrid-mbr", {"partitions/gpt-hybrid-mbr.raw"}},
      {"partitions/mbr-logical", {"partitions/mbr-logical.raw"}},
      {"lvm/linear-frag", {"lvm/linear-frag.raw"}},
      {"lvm/metadata-wrap", {"lvm/metadata-wrap.raw"}},
      {"lvm/two-disks", {"lvm/two-disks-a.raw", "lvm/two-disks-b.raw"}},
      {"lvm/whole-disk", {"lvm/whole-disk.raw"}},
  };
  for (const auto& [manifest, images] : samples) {
    const Assembly assembly = assembled(images);
    for (const test::ManifestVolume& wanted : test::manifest_volumes(manifest)) {
      CAPTURE(manifest);
      CAPTURE(wanted.name);
      CHECK(std::ranges::any_of(assembly.volumes, [&](const Volume& volume) {
        return volume.disk && volume.size == wanted.bytes &&
               test::sha256_of(*volume.disk) == wanted.sha256;
      }));
    }
  }
}

TEST_CASE("assembly: a file system that fills the disk is the disk's") {
  const Assembly assembly = assembled({"partitions/whole-ext4.raw"});
  CHECK(names_of(assembly) == "disk0");
  CHECK_FALSE(assembly.volumes[0].table);
}

}  // namespace
}  // namespace vimg
