#include "guest/group_finder.h"

#include <doctest/doctest.h>

#include "disk/error.h"
#include "tests/lvm/pv_image.h"

namespace vimg {
namespace {

PhysicalVolumeDisk valid_pv() {
  const DiskPtr disk = test::pv_image(test::vg_text(test::lv_text("lv", "8", "pv0", "0"))).disk();
  return {*read_physical_volume(*disk), disk};
}

TEST_CASE("group finder: a group is handed out once") {
  GroupFinder finder;
  finder.add(valid_pv(), 0, 0);
  CHECK(finder.next().size() == 1);
  CHECK(finder.next().empty());
}

TEST_CASE("group finder: clones on two images are two groups") {
  GroupFinder finder;
  finder.add(valid_pv(), 0, 0);
  finder.add(valid_pv(), 1, 0);
  const auto found = finder.next();
  REQUIRE(found.size() == 2);
  CHECK(found[0].image == 0);
  CHECK(found[1].image == 1);
  CHECK(found[1].copy == 1);
}

TEST_CASE("group finder: the same physical volume twice on one image is refused") {
  GroupFinder finder;
  finder.add(valid_pv(), 0, 0);
  CHECK_THROWS_WITH_AS(finder.add(valid_pv(), 0, 1),
                       "lvm: PV 000000-0000-0000-0000-0000-0000-0000pA is in this image already",
                       Error);
}

TEST_CASE("group finder: metadata may be as large as the limit together") {
  GroupFinder finder;
  PhysicalVolumeDisk pv = valid_pv();
  pv.pv.metadata.resize(GroupFinder::max_metadata_bytes, ' ');
  CHECK_NOTHROW(finder.add(pv, 0, 0));
  pv.pv.metadata = "x";
  CHECK_THROWS_WITH_AS(finder.add(pv, 1, 0), "lvm: more than 67108864 bytes of metadata", Error);
}

}  // namespace
}  // namespace vimg
