// VHDX: reading, against QEMU and against images made by hand from the specification.
#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/formats/vhdx_image.h"
#include "tests/support/host.h"
#include "tests/support/manifest.h"

namespace vimg::test {
namespace {

constexpr std::uint64_t mib = 1U << 20;

std::string expected_sha256(const std::string& manifest) {
  for (const ManifestVolume& volume : manifest_volumes("formats/" + manifest)) {
    if (volume.name == "disk") {
      return volume.sha256;
    }
  }
  FAIL("no disk in the manifest " << manifest);
  return {};
}

bool is_filled(const Disk& disk, std::uint64_t offset, std::uint64_t length, std::byte value) {
  std::vector<std::byte> content(length);
  disk.read(offset, content);
  return std::ranges::all_of(content, [&](std::byte b) { return b == value; });
}

std::string value_of(const ImageInfo& info, const std::string& name) {
  const auto found =
      std::ranges::find_if(info.facts, [&](const auto& fact) { return fact.first == name; });
  return found == info.facts.end() ? "" : found->second;
}

}  // namespace

TEST_CASE("vhdx: every sample image decodes to what QEMU decoded it to") {
  for (const char* name : {"vhdx-dynamic", "vhdx-dynamic-1M", "vhdx-fixed", "vhdx-dirty"}) {
    CAPTURE(name);
    const TemporaryDirectory directory;
    const std::string path = unpack_image(directory, "formats/" + std::string(name) + ".vhdx");
    const std::vector<std::byte> before = read_file(path);
    CHECK(sha256_of(*open_format(vhdx_driver, path)) == expected_sha256(name));
    CHECK(read_file(path) == before);
  }
}

TEST_CASE("vhdx: each state of a block reads as the specification has it") {
  VhdxImage image({.disk_size = 6 * mib});
  image.add_block(0, std::byte{0x11});
  image.set_entry(1, 0, 0);
  image.set_entry(2, 4 * mib, 1);
  image.set_entry(3, 4 * mib, 2);
  image.set_entry(4, 4 * mib, 3);
  image.set_entry(5, 4 * mib, 5);
  const DiskPtr disk = open_vhdx(image.bytes);
  CHECK(disk->size() == 6 * mib);
  CHECK(is_filled(*disk, 0, mib, std::byte{0x11}));
  CHECK(is_filled(*disk, mib, 5 * mib, std::byte{0}));
  CHECK(disk->extent(0, 6 * mib).length == mib);
  CHECK(disk->extent(0, 6 * mib).kind == Extent::Kind::data);
  CHECK(disk->extent(mib, 5 * mib).kind == Extent::Kind::hole);
  CHECK(disk->extent(2 * mib, 4 * mib).kind == Extent::Kind::zero);
  CHECK(disk->extent(2 * mib, 4 * mib).length == 4 * mib);
}

TEST_CASE("vhdx: blocks that follow each other in the file are one run") {
  VhdxImage image;
  for (std::uint64_t block = 0; block < 4; ++block) {
    image.add_block(block, std::byte(block + 1));
  }
  const DiskPtr disk = open_vhdx(image.bytes);
  CHECK(disk->extent(5, 4 * mib).length == 4 * mib - 5);
  CHECK(is_filled(*disk, 2 * mib, mib, std::byte{3}));
}

TEST_CASE("vhdx: the entry of the sector bitmap between two chunks is left out") {
  // With blocks of 256 MiB and sectors of 512 bytes a chunk has 16 blocks.
  VhdxImage image({.disk_size = 18 * 256 * mib, .block_size = 256U << 20});
  const std::uint64_t place = image.append(std::vector<std::byte>(mib, std::byte{0x22}));
  image.set_entry(17, place, 6);
  const DiskPtr disk = open_vhdx(image.bytes);
  CHECK(is_filled(*disk, 15 * 256 * mib, mib, std::byte{0}));
  CHECK(is_filled(*disk, 16 * 256 * mib, mib, std::byte{0x22}));
  // The block is longer than the file, which ends in it.
  CHECK(is_filled(*disk, 16 * 256 * mib + mib, mib, std::byte{0}));
}

TEST_CASE("vhdx: the logical sector is the disk's") {
  CHECK(open_vhdx(VhdxImage({.sector_size = 512}).bytes)->sector_size() == 512);
  CHECK(open_vhdx(VhdxImage({.sector_size = 4096}).bytes)->sector_size() == 4096);
}

TEST_CASE("vhdx: a disk of no bytes can be opened") {
  CHECK(open_vhdx(VhdxImage({.disk_size = 0}).bytes)->size() == 0);
}

TEST_CASE("vhdx: one broken header or region table is made up for by its copy") {
  VhdxImage image;
  image.add_block(0, std::byte{0x11});
  for (const std::uint64_t offset : {64U << 10, 128U << 10, 192U << 10, 256U << 10}) {
    CAPTURE(offset);
    std::vector<std::byte> broken = image.bytes;
    broken[offset + 20] ^= std::byte{1};
    CHECK(is_filled(*open_vhdx(broken), 0, mib, std::byte{0x11}));
  }
}

TEST_CASE("vhdx: info says what the image is") {
  VhdxImage image({.block_size = 2U << 20, .sector_size = 4096, .parameter_flags = 1});
  const ImageInfo info = vhdx_driver.info(*make_memory_disk(image.bytes));
  CHECK(info.format == "vhdx");
  CHECK(info.virtual_size == 4 * mib);
  CHECK(!info.backing_file);
  CHECK(value_of(info, "subformat") == "fixed");
  CHECK(value_of(info, "block size") == "2097152");
  CHECK(value_of(info, "logical sector size") == "4096");
  CHECK(value_of(info, "log") == "empty");
  CHECK(value_of(info, "data write guid") == "83ed00ec-1234-4567-8001-020304050607");
}

TEST_CASE("vhdx: an image is known by its signature") {
  CHECK(&detect_format(*make_memory_disk(VhdxImage().bytes)) == &vhdx_driver);
}

}  // namespace vimg::test
