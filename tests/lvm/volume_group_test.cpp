#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/lvm/pv_image.h"

using namespace vimg;
using namespace vimg::test;

namespace {

constexpr std::uint64_t extent = 4096;

std::vector<VolumeGroup> assemble(const std::vector<PvImage>& images,
                                  std::vector<std::string>* problems = nullptr) {
  std::vector<PhysicalVolumeDisk> candidates;
  for (const PvImage& image : images) {
    const DiskPtr disk = image.disk();
    candidates.push_back({*read_physical_volume(*disk), disk});
  }
  std::vector<std::string> said;
  auto groups = assemble_volume_groups(candidates, said);
  if (problems != nullptr) {
    *problems = said;
  } else {
    CHECK(said.empty());
  }
  return groups;
}

// The volumes of the group on the one PV pv0 whose text names `volumes`.
std::vector<LogicalVolume> volumes_of(const std::string& volumes) {
  auto groups = assemble({pv_image(vg_text(volumes))});
  REQUIRE(groups.size() == 1);
  return groups[0].volumes;
}

// What stops the one volume of such a group.
std::string problem_of(const std::string& volume) {
  const auto volumes = volumes_of(volume);
  REQUIRE(volumes.size() == 1);
  CHECK_FALSE(volumes[0].disk);
  return volumes[0].problem;
}

PvImage without_metadata(const std::string& uuid) {
  PvImage image;
  image.uuid = uuid;
  image.seal();
  return image;
}

// Each extent of the PV begins with its number.
PvImage numbered(const std::string& text) {
  PvImage image = pv_image(text);
  for (std::uint64_t i = 0; i < 48; ++i) {
    image.content[65536 + i * extent] = std::byte(i);
  }
  return image;
}

}  // namespace

TEST_CASE("lvm group: segments in any order of the text make one volume") {
  const auto groups = assemble({numbered(vg_text(
      lv_text("lv", 3,
              segment_text(2, "2", "1", "pv0", "40") + segment_text(1, "0", "2", "pv0", "7") +
                  segment_text(3, "3", "4", "pv0", "1"))))});
  REQUIRE(groups.size() == 1);
  const LogicalVolume& lv = groups[0].volumes.at(0);
  CHECK(lv.problem == "");
  CHECK(lv.size == 7 * extent);
  REQUIRE(lv.disk);
  std::string order;
  for (std::uint64_t i = 0; i < 7; ++i) {
    std::byte first{};
    lv.disk->read(i * extent, Bytes(&first, 1));
    order += std::to_string(std::to_integer<int>(first)) + " ";
  }
  CHECK(order == "7 8 40 1 2 3 4 ");
}

TEST_CASE("lvm group: a volume may end with its PV, and not an extent later") {
  CHECK(volumes_of(lv_text("lv", "48", "pv0", "0"))[0].disk);
  CHECK(problem_of(lv_text("lv", "49", "pv0", "0")) ==
        "vg/lv: lvm: extents 0 (+49) are not on PV 000000-0000-0000-0000-0000-0000-0000pA of 48 "
        "extents");
  CHECK(problem_of(lv_text("lv", "1", "pv0", "999999999999999999")) ==
        "vg/lv: lvm: extents 999999999999999999 (+1) are not on PV "
        "000000-0000-0000-0000-0000-0000-0000pA of 48 extents");
}

TEST_CASE("lvm group: numbers larger than LVM's are corrupt") {
  CHECK(problem_of(lv_text("lv", "4294967296", "pv0", "0")) ==
        "vg/lv: lvm: metadata text: 'extent_count' of 'segment1' is not a number up to 4294967295");
  CHECK(problem_of(lv_text("lv", "999999999999999999", "pv0", "0")).ends_with("up to 4294967295"));
}

TEST_CASE("lvm group: segments that overlap, leave a gap or are empty are corrupt") {
  const auto two = [](const char* start, const char* count) {
    return lv_text(
        "lv", 2, segment_text(1, "0", "2", "pv0", "0") + segment_text(2, start, count, "pv0", "9"));
  };
  CHECK(volumes_of(two("2", "1"))[0].disk);
  CHECK(problem_of(two("1", "1")) ==
        "vg/lv: lvm: 'segment2' of 'lv' has 1 extents from 1, where extent 2 is due");
  CHECK(problem_of(two("3", "1")).ends_with("has 1 extents from 3, where extent 2 is due"));
  CHECK(problem_of(two("2", "0")).ends_with("has 0 extents from 2, where extent 2 is due"));
}

TEST_CASE("lvm group: a volume without segments, or with another number of them, is corrupt") {
  CHECK(problem_of(lv_text("lv", 0, "")) ==
        "vg/lv: lvm: metadata text: 'segment_count' of 'lv' is not 0, the number of its segments");
  CHECK(problem_of(lv_text("lv", 2, segment_text(1, "0", "1", "pv0", "0"))) ==
        "vg/lv: lvm: metadata text: 'segment_count' of 'lv' is not 1, the number of its segments");
}

TEST_CASE("lvm group: two volumes on one extent are both refused, a third is not") {
  const auto volumes = volumes_of(lv_text("a", "4", "pv0", "0") + lv_text("b", "4", "pv0", "3") +
                                  lv_text("c", "4", "pv0", "7"));
  REQUIRE(volumes.size() == 3);
  CHECK(volumes[0].problem == "vg/a: lvm: shares physical extents with b");
  CHECK(volumes[1].problem == "vg/b: lvm: shares physical extents with a");
  CHECK_FALSE(volumes[0].disk);
  CHECK_FALSE(volumes[1].disk);
  CHECK(volumes[2].disk);
}

TEST_CASE("lvm group: a volume that has an extent twice is refused") {
  CHECK(
      problem_of(lv_text(
          "a", 2, segment_text(1, "0", "2", "pv0", "0") + segment_text(2, "2", "2", "pv0", "1"))) ==
      "vg/a: lvm: shares physical extents with itself");
}

TEST_CASE("lvm group: a segment on a PV or volume that cannot be is refused") {
  CHECK(problem_of(lv_text("lv", "1", "pv7", "0")) == "vg/lv: lvm: there is no PV called 'pv7'");
  CHECK(problem_of(lv_text("lv", "1", "lv", "0")) ==
        "vg/lv: lvm: a segment that lies on the logical volume lv is not supported yet");
  CHECK(problem_of(lv_text("lv", "1", "pv1", "0")) ==
        "vg/lv: lvm: PV 000000-0000-0000-0000-0000-0000-0000pB is missing");
}

TEST_CASE("lvm group: a PV smaller than the text says ends what lies behind its end") {
  PvImage image =
      pv_image(vg_text(lv_text("a", "24", "pv0", "0") + lv_text("b", "1", "pv0", "24")));
  image.content.resize(65536 + 24 * extent);
  const auto groups = assemble({image});
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].volumes[0].disk);
  CHECK(groups[0].volumes[1].problem ==
        "vg/b: lvm: extents 24 (+1) lie beyond the end 0x28000 of PV "
        "000000-0000-0000-0000-0000-0000-0000pA");
}

TEST_CASE("lvm group: segment types that are not there yet are named as lvs does") {
  std::string text =
      lv_text("a", 2,
              segment_text(1, "0", "1", "pv0", "0") + segment_text(2, "1", "1", "pv0", "1")) +
      lv_text("b", "1", "pv0", "2");
  text.replace(text.rfind("\"striped\""), 9, "\"cache-pool+METADATA_FORMAT\"");
  text.replace(text.find("stripe_count = 1"), 16, "stripe_count = 2");
  const auto volumes = volumes_of(text);
  REQUIRE(volumes.size() == 2);
  CHECK(volumes[0].segment_types == "striped,linear");
  CHECK(volumes[0].size == 2 * extent);
  CHECK(volumes[0].problem == "vg/a: lvm: segment type striped is not supported yet");
  CHECK(volumes[1].segment_types == "cache-pool");
  CHECK(volumes[1].problem == "vg/b: lvm: segment type cache-pool is not supported yet");
}

TEST_CASE("lvm group: names that are no path components are left out") {
  const auto groups =
      assemble({pv_image(vg_text(lv_text("..", "1", "pv0", "0") + lv_text("ok", "1", "pv0", "1") +
                                 lv_text("ok", "1", "pv0", "2")))});
  REQUIRE(groups.size() == 1);
  REQUIRE(groups[0].volumes.size() == 1);
  CHECK(groups[0].volumes[0].name == "ok");
  CHECK(groups[0].problems[0] == "vg: a logical volume's name is not allowed by LVM");
  CHECK(groups[0].problems[1] == "vg: two logical volumes are called ok");
}

TEST_CASE("lvm group: a volume that may not be written is read-only") {
  std::string text = lv_text("lv", "1", "pv0", "0");
  CHECK(volumes_of(text)[0].disk->writable());
  text.replace(text.find(", \"WRITE\""), 9, "");
  CHECK_FALSE(volumes_of(text)[0].disk->writable());
}

TEST_CASE("lvm group: an internal volume is not visible") {
  std::string text = lv_text("lv", "1", "pv0", "0");
  CHECK(volumes_of(text)[0].visible);
  text.replace(text.find(", \"VISIBLE\""), 11, "");
  CHECK_FALSE(volumes_of(text)[0].visible);
}

TEST_CASE("lvm group: the newest metadata wins, and the older is said") {
  PvImage old_image = pv_image(vg_text(lv_text("old", "1", "pv0", "0"), 4));
  PvImage new_image = pv_image(vg_text(lv_text("new", "1", "pv0", "0"), 5));
  new_image.uuid.back() = 'B';
  new_image.seal();
  for (const auto& images :
       {std::vector{old_image, new_image}, std::vector{new_image, old_image}}) {
    const auto groups = assemble(images);
    REQUIRE(groups.size() == 1);
    CHECK(groups[0].seqno == 5);
    CHECK(groups[0].volumes.at(0).name == "new");
    REQUIRE(groups[0].problems.size() == 1);
    CHECK(groups[0].problems[0] ==
          "vg: the metadata on PV 000000-0000-0000-0000-0000-0000-0000pA is older (seqno 4) than "
          "that on PV 000000-0000-0000-0000-0000-0000-0000pB (seqno 5), which is used");
  }
}

TEST_CASE("lvm group: a PV without metadata is found by its UUID") {
  const auto groups = assemble({without_metadata("000000000000000000000000000000pB"),
                                pv_image(vg_text(lv_text("lv", "1", "pv1", "0")))});
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].missing_pv_uuids.empty());
  CHECK(groups[0].volumes.at(0).disk);
}

TEST_CASE("lvm group: a PV that belongs to another group by now is not used") {
  std::string other = vg_text("");
  other.replace(other.find("0000vg"), 6, "0002vg");
  other.replace(0, 2, "v2");
  PvImage taken = pv_image(other);
  taken.uuid.back() = 'B';
  taken.seal();
  const auto groups = assemble({pv_image(vg_text(lv_text("lv", "1", "pv1", "0"))), taken});
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].volumes.at(0).problem ==
        "vg/lv: lvm: PV 000000-0000-0000-0000-0000-0000-0000pB is missing");
  CHECK(groups[0].problems[0] ==
        "vg: PV 000000-0000-0000-0000-0000-0000-0000pB belongs to the volume group v2 "
        "(000000-0000-0000-0000-0000-0000-0002vg) by now");
}

TEST_CASE("lvm group: two groups with one name are both there") {
  std::string other = vg_text(lv_text("second", "1", "pv1", "0"));
  other.replace(other.find("0000vg"), 6, "0002vg");
  PvImage second = pv_image(other);
  second.uuid.back() = 'B';
  second.seal();
  const auto groups = assemble({pv_image(vg_text(lv_text("first", "1", "pv0", "0"))), second});
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].name == groups[1].name);
  CHECK(groups[0].volumes.at(0).disk);
  CHECK(groups[1].volumes.at(0).disk);
}

TEST_CASE("lvm group: of two PVs with one UUID the first is used, and that is said") {
  std::vector<std::string> problems;
  const PvImage image = pv_image(vg_text(lv_text("lv", "1", "pv0", "0")));
  const auto groups = assemble({image, image}, &problems);
  CHECK(groups.size() == 1);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0] ==
        "lvm: there are two PVs 000000-0000-0000-0000-0000-0000-0000pA; the first is used");
}
