#include <algorithm>
#include <cerrno>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "tests/lvm/pv_image.h"
#include "tests/support/fault_disk.h"

using namespace vimg;
using namespace vimg::test;

namespace {

PvImage valid_image() { return pv_image(vg_text(lv_text("lv", "4", "pv0", "0"))); }

// The message of the error that reading `image` throws.
std::string message_of(const PvImage& image) {
  try {
    read_physical_volume(*image.disk());
  } catch (const Error& error) {
    CHECK(error.code() == EUCLEAN);
    return error.what();
  }
  return "no error";
}

// The one problem of `image`, whose metadata cannot be used.
std::string problem_of(const PvImage& image) {
  const auto pv = read_physical_volume(*image.disk());
  REQUIRE(pv);
  CHECK(pv->metadata.empty());
  REQUIRE(pv->problems.size() == 1);
  const std::string start = "PV 000000-0000-0000-0000-0000-0000-0000pA: lvm: ";
  CHECK(pv->problems[0].starts_with(start));
  return pv->problems[0].substr(start.size());
}

// problem_of() after `value` was stored at `offset` of the area's header.
template <typename T>
std::string problem_with(std::size_t offset, T value) {
  PvImage image = valid_image();
  store(image.content, PvImage::area_offset + offset, value);
  image.reseal_area();
  return problem_of(image);
}

}  // namespace

TEST_CASE("lvm pv: a whole PV is read") {
  const PvImage image = valid_image();
  const auto pv = read_physical_volume(*image.disk());
  REQUIRE(pv);
  CHECK(pv->uuid == "000000-0000-0000-0000-0000-0000-0000pA");
  CHECK(pv->size == image.content.size());
  CHECK(pv->vg_name == "vg");
  CHECK(pv->vg_uuid == "000000-0000-0000-0000-0000-0000-0000vg");
  CHECK(pv->seqno == 1);
  CHECK(pv->metadata == image.text);
  CHECK(pv->problems.empty());
}

TEST_CASE("lvm pv: a disk without a label, or smaller than one, is no PV") {
  CHECK_FALSE(read_physical_volume(*make_memory_disk(std::vector<std::byte>(4096))));
  CHECK_FALSE(read_physical_volume(*make_memory_disk(std::vector<std::byte>(511))));
}

TEST_CASE("lvm pv: the label may lie in each of the first four sectors, and not in the fifth") {
  for (std::uint64_t sector = 0; sector < 5; ++sector) {
    PvImage image = valid_image();
    std::vector<std::byte> label(image.content.begin() + 512, image.content.begin() + 1024);
    store(label, 8, le64(sector));
    std::fill_n(image.content.begin() + 512, 512, std::byte{0});
    std::copy(label.begin(), label.end(), image.content.begin() + std::ptrdiff_t(sector * 512));
    CHECK(read_physical_volume(*image.disk()).has_value() == (sector < 4));
  }
}

TEST_CASE("lvm pv: a damaged label is corrupt") {
  PvImage image = valid_image();
  image.content[512 + 64] ^= std::byte{1};
  CHECK(
      message_of(image).starts_with("lvm: the label at 0x200 cannot be used: its checksum is 0x"));
}

TEST_CASE("lvm pv: a good label behind a damaged one is used") {
  PvImage image = valid_image();
  std::copy_n(image.content.begin() + 512, 512, image.content.begin() + 1024);
  store(image.content, 1024 + 8, le64(2));
  image.content[512 + 64] ^= std::byte{1};
  CHECK(read_physical_volume(*image.disk()));
}

TEST_CASE("lvm pv: a label in another place than it says is corrupt") {
  PvImage image = valid_image();
  store(image.content, 512 + 8, le64(2));
  CHECK(message_of(image) ==
        "lvm: the label at 0x200 cannot be used: it says that it lies in sector 2");
}

TEST_CASE("lvm pv: a label whose contents leave its sector is corrupt") {
  for (const std::uint32_t offset : {31U, 473U, 0xffffffffU}) {
    PvImage image = valid_image();
    const Bytes sector = Bytes(image.content).subspan(512, 512);
    store(sector, 20, le32(offset));
    store(sector, 16, le32(lvm_checksum(sector.subspan(20))));
    CHECK(message_of(image).ends_with("leave the sector"));
  }
}

TEST_CASE("lvm pv: a UUID of other characters is corrupt") {
  PvImage image = valid_image();
  image.uuid[3] = '/';
  image.seal();
  CHECK(message_of(image) ==
        "lvm: the UUID in the label holds other characters than letters and digits");
}

TEST_CASE("lvm pv: a text that wraps around its area is read, wherever it begins") {
  for (const std::uint64_t back : {1U, 100U, 512U}) {
    PvImage image = valid_image();
    image.text_offset = PvImage::area_size - back;
    image.seal();
    CHECK(read_physical_volume(*image.disk())->metadata == image.text);
  }
}

TEST_CASE("lvm pv: an area that is empty or marked to be ignored is no problem") {
  PvImage image;
  image.seal();
  CHECK(read_physical_volume(*image.disk())->vg_name == "");
  image = valid_image();
  image.text_flags = 1;
  image.seal();
  const auto pv = read_physical_volume(*image.disk());
  CHECK(pv->metadata.empty());
  CHECK(pv->problems.empty());
}

TEST_CASE("lvm pv: what is wrong with a metadata area is a problem of the PV") {
  CHECK(problem_with(4, le64(0)) == "metadata area at 0x1000: it has no magic number");
  CHECK(problem_with(20, le32(2)) == "metadata area at 0x1000: its version is 2, not 1");
  CHECK(problem_with(24, le64(512)) == "metadata area at 0x1000: it says that it lies at 0x200");
  for (const std::uint64_t size :
       {std::uint64_t(512), std::uint64_t(258048 + 1), ~std::uint64_t(0)}) {
    CHECK(problem_with(32, le64(size)).ends_with(" leaves the disk of 0x40000 bytes"));
  }
  CHECK(problem_with(40, le64(511)).ends_with(" leaves the area of 0x7000 bytes"));
  CHECK(problem_with(40, le64(28672)).ends_with(" leaves the area of 0x7000 bytes"));
  CHECK(problem_with(40, le64(~std::uint64_t(0))).ends_with(" leaves the area of 0x7000 bytes"));
  CHECK(problem_with(48, le64(28161)).ends_with(" leaves the area of 0x7000 bytes"));
  CHECK(problem_with(48, le64(~std::uint64_t(0))) ==
        "metadata area at 0x1000: its text of 18446744073709551615 bytes is larger than the limit "
        "of 33554432");
  CHECK(problem_with(48, le64(28160)).find("the checksum of its text is") != std::string::npos);
}

TEST_CASE("lvm pv: damaged areas are said with their checksums") {
  PvImage image = valid_image();
  image.content[PvImage::area_offset + 100] ^= std::byte{1};
  CHECK(problem_of(image).starts_with("metadata area at 0x1000: the header's checksum is 0x"));
  image = valid_image();
  image.content[PvImage::area_offset + 600] ^= std::byte{1};
  CHECK(problem_of(image).starts_with("metadata area at 0x1000: the checksum of its text is 0x"));
}

TEST_CASE("lvm pv: an area beyond the disk's end is a problem") {
  PvImage image = valid_image();
  image.content.resize(4096 + 511);
  CHECK(problem_of(image) == "metadata area at 0x1000: it lies beyond the disk's end 0x11ff");
}

TEST_CASE("lvm pv: a text that is not LVM's is a problem") {
  CHECK(problem_of(pv_image("vg {}\n")) ==
        "metadata text is not a version 1 'Text Format Volume Group'");
  const std::string end = "\ncontents = \"Text Format Volume Group\"\nversion = 1\n";
  CHECK(problem_of(pv_image(end)) == "metadata text names no volume group");
  CHECK(problem_of(pv_image(".. {}" + end)) == "metadata text names no volume group");
  CHECK(problem_of(pv_image("vg {}" + end)) == "metadata text: 'id' of 'vg' is not there");
}

TEST_CASE("lvm pv: every read that fails is an error") {
  FaultDisk counter(valid_image().disk());
  read_physical_volume(counter);
  REQUIRE(counter.reads == 4);
  for (std::uint64_t n = 0; n < counter.reads; ++n) {
    FaultDisk disk(valid_image().disk());
    disk.fail_read = n;
    CHECK_THROWS_AS(read_physical_volume(disk), Error);
  }
}
