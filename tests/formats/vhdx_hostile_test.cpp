// VHDX: images that lie.  Each is a valid one with a single change, and says what was found.
#include <cerrno>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/formats/vhdx_image.h"

namespace vimg::test {
namespace {

constexpr std::uint64_t mib = 1U << 20;

struct Refusal {
  int code = 0;
  std::string message;
};

Refusal refusal_of(const VhdxImage& image, Access access = Access::read_only) {
  try {
    open_vhdx(image.bytes, access);
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

void check_refused(const VhdxImage& image, int code, const std::string& message) {
  const Refusal refusal = refusal_of(image);
  CHECK(refusal.code == code);
  CHECK(refusal.message == message);
}

std::string message_of_reading(const VhdxImage& image, std::uint64_t offset) {
  const DiskPtr disk = open_vhdx(image.bytes);
  std::vector<std::byte> sector(512);
  try {
    disk->read(offset, sector);
  } catch (const Error& error) {
    CHECK(error.code() == EUCLEAN);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("vhdx hostile: a file cut short anywhere is refused or read, and nothing else") {
  const VhdxImage image;
  for (const std::size_t size :
       {0, 7, 8, 65536, 66000, 200000, 300000, 0x100000, 0x200000, 0x210000, 0x300000, 0x3fffff}) {
    CAPTURE(size);
    VhdxImage cut = image;
    cut.bytes.resize(size);
    CHECK(refusal_of(cut).code == EUCLEAN);
  }
}

TEST_CASE("vhdx hostile: headers") {
  VhdxImage image;
  SUBCASE("both are broken") {
    image.bytes[(64U << 10) + 100] ^= std::byte{1};
    image.bytes[(128U << 10) + 100] ^= std::byte{1};
    check_refused(image, EUCLEAN, "vhdx: neither header has a valid signature and checksum");
  }
  SUBCASE("both have one number and differ") {
    image.change_headers([](vhdx::Header& header) {
      header.file_write_guid = random_guid();
      header.sequence_number = 5;
    });
    check_refused(image, EUCLEAN, "vhdx: both headers have the sequence number 5 and differ");
  }
  SUBCASE("another version") {
    image.change_headers([](vhdx::Header& header) { header.version = 2; });
    check_refused(image, EOPNOTSUPP, "vhdx: version 2 is not supported, only 1 is");
  }
  SUBCASE("another version of the log") {
    image.change_headers([](vhdx::Header& header) { header.log_version = 1; });
    check_refused(image, EOPNOTSUPP, "vhdx: log version 1 is not supported, only 0 is");
  }
  SUBCASE("the log lies in the headers") {
    image.change_headers([](vhdx::Header& header) { header.log_offset = 0; });
    check_refused(image, EUCLEAN,
                  "vhdx: log at 0x0 (+0x100000) is not aligned to 1 MiB behind the headers");
  }
  SUBCASE("the log lies beyond the file") {
    image.change_headers([](vhdx::Header& header) { header.log_length = 4U << 20; });
    check_refused(image, EUCLEAN,
                  "vhdx: log at 0x100000 (+0x400000) lies beyond the file end 0x400000");
  }
  SUBCASE("the log's end is beyond all numbers") {
    image.change_headers([](vhdx::Header& header) { header.log_offset = ~std::uint64_t{0} << 20; });
    CHECK(refusal_of(image).code == EUCLEAN);
  }
}

TEST_CASE("vhdx hostile: identical headers with one number are one header") {
  VhdxImage image;
  image.change_headers([](vhdx::Header& header) {
    header.file_write_guid = vhdx_test_guid;
    header.sequence_number = 5;
  });
  CHECK(refusal_of(image).code == 0);
}

TEST_CASE("vhdx hostile: region tables") {
  VhdxImage image;
  SUBCASE("both are broken") {
    image.bytes[(192U << 10) + 100] ^= std::byte{1};
    image.bytes[(256U << 10) + 100] ^= std::byte{1};
    check_refused(image, EUCLEAN,
                  "vhdx: neither region table has a valid signature, checksum and count");
  }
  SUBCASE("too many entries") {
    for (const std::uint64_t at : {192U << 10, 256U << 10}) {
      image.put(at + 8, le32(2048));
    }
    image.seal_region_tables();
    CHECK(refusal_of(image).code == EUCLEAN);
  }
  SUBCASE("regions overlap") {
    image.change_region(0, [](auto& entry) { entry.offset = vhdx_metadata_at; });
    check_refused(image, EUCLEAN, "vhdx: regions at 0x200000 (+0x100000) and 0x200000 overlap");
  }
  SUBCASE("a region lies in the log") {
    image.change_region(0, [](auto& entry) { entry.offset = vhdx_log_at; });
    CHECK(refusal_of(image).code == EUCLEAN);
  }
  SUBCASE("a region lies beyond the file") {
    image.change_region(0, [](auto& entry) { entry.length = 2U << 20; });
    check_refused(image, EUCLEAN,
                  "vhdx: region 2dc27766-f623-4200-9d64-115e9bfd4a08 at 0x300000 (+0x200000) lies "
                  "beyond the file end 0x400000");
  }
  SUBCASE("a region is not aligned") {
    image.change_region(1, [](auto& entry) { entry.offset = vhdx_metadata_at + 4096; });
    check_refused(image, EUCLEAN,
                  "vhdx: region 8b7ca206-4790-4b9a-b8fe-575f050f886e at 0x201000 (+0x100000) is "
                  "not aligned to 1 MiB behind the headers");
  }
  SUBCASE("a region that is not there") {
    image.change_region(0, [](auto& entry) {
      entry.guid = vhdx_test_guid;
      entry.flags = 0;
    });
    check_refused(image, EUCLEAN, "vhdx: there is no BAT region");
  }
  SUBCASE("a region that is there twice") {
    image.append({});
    image.bytes.resize(5 * mib);
    image.add_region({vhdx::bat_region, 4 * mib, mib, 1});
    check_refused(image, EUCLEAN, "vhdx: there are two BAT regions");
  }
  SUBCASE("a required region that nobody knows") {
    image.bytes.resize(5 * mib);
    image.add_region({vhdx_test_guid, 4 * mib, mib, 1});
    check_refused(image, EOPNOTSUPP,
                  "vhdx: the required region 83ed00ec-1234-4567-8001-020304050607 is not known");
  }
}

TEST_CASE("vhdx hostile: a region that nobody knows and need not know is left alone") {
  VhdxImage image;
  image.bytes.resize(5 * mib);
  image.add_region({vhdx_test_guid, 4 * mib, mib, 0});
  image.set_entry(0, 4 * mib, 6);
  CHECK(message_of_reading(image, 0) ==
        "vhdx: BAT entry of block 0 leads to 0x400000, into a region of the file's structure");
}

TEST_CASE("vhdx hostile: metadata") {
  VhdxImage image;
  SUBCASE("no signature") {
    image.bytes[vhdx_metadata_at] ^= std::byte{1};
    check_refused(image, EUCLEAN, "vhdx: the signature \"metadata\" is missing at 0x200000");
  }
  SUBCASE("too many entries") {
    image.put(vhdx_metadata_at + 10, le16(2048));
    check_refused(image, EUCLEAN,
                  "vhdx: metadata table of 2048 entries; at most 2047 are possible");
  }
  SUBCASE("an item in the table") {
    image.change_item(1, [](auto& entry) { entry.offset = 65535; });
    check_refused(image, EUCLEAN,
                  "vhdx: metadata item \"virtual disk size\" at 0xffff (+0x8) does not lie behind "
                  "the table in a region of 0x100000");
  }
  SUBCASE("an item beyond the region") {
    image.change_item(1, [](auto& entry) { entry.offset = (1U << 20) - 4; });
    CHECK(refusal_of(image).code == EUCLEAN);
  }
  SUBCASE("an item of another length") {
    image.change_item(0, [](auto& entry) { entry.length = 4; });
    check_refused(image, EUCLEAN, "vhdx: metadata item \"file parameters\" is 4 bytes long, not 8");
  }
  SUBCASE("an item that is there twice") {
    image.add_item(image.get<vhdx::MetadataTableEntry>(vhdx_metadata_at + 64));
    check_refused(image, EUCLEAN, "vhdx: there are two metadata items \"virtual disk size\"");
  }
  SUBCASE("an item that is not there") {
    image.change_item(3, [](auto& entry) {
      entry.guid = vhdx_test_guid;
      entry.flags = 0;
    });
    check_refused(image, EUCLEAN, "vhdx: the metadata item \"logical sector size\" is missing");
  }
  SUBCASE("a required item that nobody knows") {
    image.add_item({vhdx_test_guid, 65536, 8, 4, 0});
    check_refused(image, EOPNOTSUPP,
                  "vhdx: the required metadata item 83ed00ec-1234-4567-8001-020304050607 is not "
                  "known");
  }
  SUBCASE("a parent without a locator") {
    image.put(vhdx_items_at + 4, le32(2));
    check_refused(image, EUCLEAN,
                  "vhdx: the disk has a parent, but the metadata item \"parent locator\" is "
                  "missing");
  }
}

TEST_CASE("vhdx hostile: an item of the user's with a known GUID is the user's") {
  VhdxImage image;
  image.add_item({vhdx::disk_size_item, 65536, 8, 1, 0});
  CHECK(refusal_of(image).code == 0);
}

TEST_CASE("vhdx hostile: sizes") {
  for (const std::uint32_t size : {0U, 512U << 10, 3U << 20, 512U << 20, 0x80000000U}) {
    CAPTURE(size);
    CHECK(refusal_of(VhdxImage({.block_size = size != 0 ? size : 1U << 20})).code ==
          (size != 0 ? EUCLEAN : 0));
  }
  VhdxImage no_block_size;
  no_block_size.put(vhdx_items_at, le32(0));
  CHECK(refusal_of(no_block_size).code == EUCLEAN);
  CHECK(refusal_of(VhdxImage({.sector_size = 1024})).code == EUCLEAN);
  CHECK(refusal_of(VhdxImage({.disk_size = 512 + 1})).code == EUCLEAN);
  CHECK(refusal_of(VhdxImage({.disk_size = ~std::uint64_t{511}})).code == EUCLEAN);
  // A BAT of 1 MiB has 131072 entries: 31 chunks of 4096 blocks, and the bitmaps' between them.
  check_refused(VhdxImage({.disk_size = std::uint64_t{1} << 40}), EUCLEAN,
                "vhdx: BAT of 0x100000 bytes is too short for a disk of 0x10000000000: it takes "
                "0x8007f8");
  const std::uint64_t blocks = 131072 - 31;
  CHECK(refusal_of(VhdxImage({.disk_size = blocks * mib})).code == 0);
  CHECK(refusal_of(VhdxImage({.disk_size = (blocks + 1) * mib})).code == EUCLEAN);
}

TEST_CASE("vhdx hostile: the largest disk there can be is opened") {
  const std::uint64_t size = std::uint64_t{64} << 40;
  const VhdxImage image({.disk_size = size, .block_size = 256U << 20, .sector_size = 4096});
  VhdxImage larger = image;
  larger.bytes.resize(3 * mib);
  larger.bytes.resize(6 * mib);
  larger.change_region(0, [](auto& entry) { entry.length = 3U << 20; });
  const DiskPtr disk = open_vhdx(larger.bytes);
  CHECK(disk->size() == size);
  CHECK(disk->extent(size - 512, 512).kind == Extent::Kind::hole);
}

TEST_CASE("vhdx hostile: BAT entries") {
  VhdxImage image;
  SUBCASE("beyond the file") {
    image.set_entry(1, ~std::uint64_t{0} << 20, 6);
    CHECK(message_of_reading(image, mib) ==
          "vhdx: BAT entry of block 1 leads to 0xfffffffffff00000, beyond the file end 0x400000");
  }
  SUBCASE("in the headers") {
    image.set_entry(1, 0, 6);
    CHECK(message_of_reading(image, mib) ==
          "vhdx: BAT entry of block 1 leads to 0x0, into a region of the file's structure");
  }
  SUBCASE("a state that there is not") {
    image.set_entry(1, 0, 4);
    CHECK(message_of_reading(image, mib) ==
          "vhdx: BAT entry of block 1 has the state 4, which there is not");
  }
  SUBCASE("present in part without a parent") {
    image.add_block(1, std::byte{1});
    image.set_entry(1, 4 * mib, 7);
    CHECK(message_of_reading(image, mib) ==
          "vhdx: block 1 is present in part, and has no sector bitmap");
  }
  CHECK(message_of_reading(image, 0).empty());
}

TEST_CASE("vhdx hostile: nothing is written where a write would destroy something") {
  VhdxImage image;
  const std::uint64_t place = image.add_block(0, std::byte{1});
  CHECK(refusal_of(image, Access::read_write).code == 0);
  SUBCASE("blocks overlap") { image.set_entry(1, place, 6); }
  SUBCASE("a block lies in the structure") { image.set_entry(1, vhdx_log_at, 6); }
  SUBCASE("a block lies beyond the file, where the next one would be made") {
    image.set_entry(1, 5 * mib, 6);
  }
  CHECK(refusal_of(image, Access::read_write).code == EUCLEAN);
  CHECK(refusal_of(image).code == 0);
}

TEST_CASE("vhdx hostile: without a log there is no writing") {
  VhdxImage image;
  image.change_headers([](vhdx::Header& header) {
    header.log_length = 0;
    header.log_offset = 0;
  });
  CHECK(refusal_of(image).code == 0);
  CHECK(refusal_of(image, Access::read_write).code == EOPNOTSUPP);
}

TEST_CASE("vhdx hostile: a header whose number cannot be raised is not written over") {
  VhdxImage image;
  image.change_headers([](vhdx::Header& header) { header.sequence_number = ~std::uint64_t{0}; });
  image.bytes[64U << 10] ^= std::byte{1};
  const DiskPtr disk = open_vhdx(image.bytes, Access::read_write);
  CHECK_THROWS_AS(disk->write(0, std::vector<std::byte>(512)), Error);
}

}  // namespace vimg::test
