// VHDX: replaying logs that were made by hand from [MS-VHDX].
#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/formats/vhdx_image.h"
#include "tests/support/host.h"

namespace vimg::test {
namespace {

constexpr std::uint64_t mib = 1U << 20;

// A BAT sector whose entry 0 leads to `place`.
std::vector<std::byte> bat_to(std::uint64_t place) {
  std::vector<std::byte> sector(4096);
  store(Bytes(sector), 0, le64(place | 6));
  return sector;
}

VhdxLogWrite bat_write(std::uint64_t place) { return {vhdx_bat_at, bat_to(place)}; }

// Three MiB of 0x10, 0x11 and 0x12 behind the structure that no entry of the BAT leads to.
VhdxImage image_with_log() {
  VhdxImage image;
  for (int i = 0; i < 3; ++i) {
    image.append(std::vector<std::byte>(mib, std::byte(0x10 + i)));
  }
  image.begin_log();
  return image;
}

std::byte first_byte(const Disk& disk) {
  std::byte byte{};
  disk.read(0, writable_bytes_of(byte));
  return byte;
}

// The disk's first byte, read-only and after a replay into the file, which are the same.
std::byte replayed(const VhdxImage& image) {
  const DiskPtr file = make_memory_disk(image.bytes);
  TestContext reading;
  const std::byte byte = first_byte(*vhdx_driver.open(file, reading));
  CHECK(content_of(*file) == image.bytes);
  TestContext writing({}, Access::read_write);
  CHECK(first_byte(*vhdx_driver.open(file, writing)) == byte);
  CHECK(first_byte(*vhdx_driver.open(file, reading)) == byte);
  CHECK(is_zero(read_object<vhdx::Header>(*file, 64U << 10).log_guid));
  CHECK(is_zero(read_object<vhdx::Header>(*file, 128U << 10).log_guid));
  return byte;
}

int error_of_opening(const VhdxImage& image, Access access = Access::read_only) {
  try {
    open_vhdx(image.bytes, access);
  } catch (const Error& error) {
    return error.code();
  }
  return 0;
}

}  // namespace

TEST_CASE("vhdx log: an entry is replayed") {
  VhdxImage image = image_with_log();
  image.add_log_entry(0, 0, 1, {bat_write(5 * mib)});
  CHECK(replayed(image) == std::byte{0x11});
}

TEST_CASE("vhdx log: a sequence is replayed in its order, from the tail that its head names") {
  VhdxImage image = image_with_log();
  image.set_entry(0, 4 * mib, 6);
  const std::uint64_t length =
      image.add_log_entry(0, 0, 5, {{vhdx_bat_at + 4096, bat_to(1), 0}, bat_write(6 * mib)});
  image.add_log_entry(length, 0, 6, {bat_write(5 * mib)});
  CHECK(replayed(image) == std::byte{0x11});
  // The first entry changes the second page; it is not replayed when the tail comes after it.
  const auto second_page = [](const VhdxImage& of) {
    const DiskPtr file = make_memory_disk(of.bytes);
    TestContext writing({}, Access::read_write);
    vhdx_driver.open(file, writing);
    return read_object<le64>(*file, vhdx_bat_at + 4096).value();
  };
  CHECK(second_page(image) == 7);
  image.add_log_entry(length, length, 6, {bat_write(5 * mib)});
  CHECK(second_page(image) == 0);
  CHECK(replayed(image) == std::byte{0x11});
}

TEST_CASE("vhdx log: the sequence with the largest number counts, wherever it is") {
  VhdxImage image = image_with_log();
  image.add_log_entry(0, 0, 9, {bat_write(4 * mib)});
  image.add_log_entry(64 * 4096, 64 * 4096, 11, {bat_write(6 * mib)});
  image.add_log_entry(128 * 4096, 128 * 4096, 10, {bat_write(5 * mib)});
  CHECK(replayed(image) == std::byte{0x12});
}

TEST_CASE("vhdx log: an entry goes on at the log's beginning") {
  VhdxImage image = image_with_log();
  image.add_log_entry(mib - 4096, mib - 4096, 3, {bat_write(5 * mib)});
  CHECK(replayed(image) == std::byte{0x11});
}

TEST_CASE("vhdx log: what is older, torn or of another log is left out") {
  VhdxImage image = image_with_log();
  const std::uint64_t length = image.add_log_entry(0, 0, 3, {bat_write(5 * mib)});
  SUBCASE("a torn entry") {
    image.add_log_entry(length, 0, 4, {bat_write(6 * mib)});
    image.bytes[vhdx_log_at + length + 4096 + 100] ^= std::byte{1};
  }
  SUBCASE("an entry of another log") {
    image.add_log_entry(length, 0, 4, {bat_write(6 * mib)},
                        [](vhdx::LogEntryHeader& header) { header.log_guid.rest[0] ^= 1; });
  }
  SUBCASE("a gap in the numbers, with a tail in the part before") {
    image.add_log_entry(length, 0, 5, {bat_write(6 * mib)});
  }
  SUBCASE("a descriptor of another entry") {
    image.add_log_entry(length, 0, 4, {bat_write(6 * mib)}, [](vhdx::LogEntryHeader& header) {
      header.sequence_number = 5;  // not that of its descriptors
    });
  }
  SUBCASE("an entry that is longer than the log") {
    image.add_log_entry(length, 0, 4, {bat_write(6 * mib)},
                        [](vhdx::LogEntryHeader& header) { header.length = mib + 4096; });
  }
  SUBCASE("more descriptors than the entry is long") {
    image.add_log_entry(length, 0, 4, {bat_write(6 * mib)},
                        [](vhdx::LogEntryHeader& header) { header.descriptor_count = 0xffffffff; });
  }
  SUBCASE("more descriptors than there are data sectors") {
    image.add_log_entry(length, 0, 4, {bat_write(6 * mib)},
                        [](vhdx::LogEntryHeader& header) { header.length = 4096; });
  }
  CHECK(replayed(image) == std::byte{0x11});
}

TEST_CASE("vhdx log: an empty entry changes nothing") {
  VhdxImage image = image_with_log();
  image.set_entry(0, 6 * mib, 6);
  image.add_log_entry(0, 0, 1, {});
  CHECK(replayed(image) == std::byte{0x12});
}

TEST_CASE("vhdx log: a log that was begun and holds no whole entry changes nothing") {
  VhdxImage image = image_with_log();
  image.set_entry(0, 6 * mib, 6);
  CHECK(replayed(image) == std::byte{0x12});
}

TEST_CASE("vhdx log: a zero descriptor makes zeros, data descriptors around it hold") {
  VhdxImage image = image_with_log();
  image.set_entry(0, 4 * mib, 6);
  image.add_log_entry(
      0, 0, 1,
      {{4 * mib + 4096, {}, 8192}, {4 * mib, std::vector<std::byte>(4096, std::byte{0x77})}});
  const DiskPtr disk = open_vhdx(image.bytes);
  std::vector<std::byte> content(5 * 4096);
  disk->read(0, content);
  CHECK(content[4095] == std::byte{0x77});
  CHECK(all_zero(ConstBytes(content).subspan(4096, 8192)));
  CHECK(content[3 * 4096] == std::byte{0x10});
}

TEST_CASE("vhdx log: the file grows to where the log says that its structures end") {
  VhdxImage image = image_with_log();
  const std::uint64_t place = image.bytes.size();
  image.add_log_entry(0, 0, 1, {bat_write(place)},
                      [&](vhdx::LogEntryHeader& header) { header.last_file_offset = place + mib; });
  CHECK(replayed(image) == std::byte{0});
  const DiskPtr file = make_memory_disk(image.bytes);
  TestContext writing({}, Access::read_write);
  vhdx_driver.open(file, writing);
  CHECK(file->size() == place + mib);
}

TEST_CASE("vhdx log: a file that was cut since its log was written is refused") {
  VhdxImage image = image_with_log();
  image.add_log_entry(0, 0, 1, {bat_write(4 * mib)}, [&](vhdx::LogEntryHeader& header) {
    header.flushed_file_offset = image.bytes.size() + mib;
  });
  CHECK_THROWS_WITH_AS(open_vhdx(image.bytes),
                       "vhdx: the file ends at 0x700000, but was 0x800000 long when its log was "
                       "written",
                       Error);
}

TEST_CASE("vhdx log: a log may not change headers, itself, or what lies beyond the end") {
  for (const std::uint64_t offset :
       {std::uint64_t{0}, std::uint64_t{64} << 10, (std::uint64_t{192} << 10) - 4096, vhdx_log_at,
        vhdx_log_at + mib - 4096, 7 * mib, std::uint64_t{1} << 62}) {
    CAPTURE(offset);
    VhdxImage image = image_with_log();
    image.add_log_entry(0, 0, 1, {{offset, std::vector<std::byte>(4096, std::byte{1})}});
    CHECK(error_of_opening(image) == EUCLEAN);
    CHECK(error_of_opening(image, Access::read_write) == EUCLEAN);
    VhdxImage zeros = image_with_log();
    zeros.add_log_entry(0, 0, 1, {{offset, {}, 4096}});
    CHECK(error_of_opening(zeros) == EUCLEAN);
  }
  VhdxImage image = image_with_log();
  image.add_log_entry(0, 0, 1, {{4 * mib, {}, ~std::uint64_t{4095}}});
  CHECK(error_of_opening(image) == EUCLEAN);
}

TEST_CASE("vhdx log: a log that makes the file endless is refused") {
  VhdxImage image = image_with_log();
  image.add_log_entry(0, 0, 1, {bat_write(4 * mib)}, [](vhdx::LogEntryHeader& header) {
    header.last_file_offset = std::uint64_t{1} << 62;
  });
  CHECK(error_of_opening(image) == EUCLEAN);
}

TEST_CASE("vhdx log: a log full of entries that claim the whole log is not searched for ever") {
  VhdxImage image = image_with_log();
  for (std::uint64_t place = 0; place < mib; place += 4096) {
    vhdx::LogEntryHeader header{};
    header.signature = vhdx::log_signature;
    header.length = mib;
    header.sequence_number = 1;
    header.log_guid = vhdx_test_guid;
    image.put(vhdx_log_at + place, header);
  }
  CHECK_THROWS_WITH_AS(open_vhdx(image.bytes), "vhdx: the log is full of broken entries", Error);
}

TEST_CASE("vhdx log: a replay into the file that is cut short is repeated") {
  VhdxImage image = image_with_log();
  image.add_log_entry(0, 0, 1, {bat_write(5 * mib), {vhdx_bat_at + 4096, bat_to(0)}});
  const DiskPtr file = make_memory_disk(image.bytes);
  // As after the header's update and half of the entry: the log is still there.
  file->write(vhdx_bat_at, bat_to(6 * mib));
  TestContext writing({}, Access::read_write);
  CHECK(first_byte(*vhdx_driver.open(file, writing)) == std::byte{0x11});
}

TEST_CASE("vhdx log: info and check see the image as it is after the replay") {
  VhdxImage image = image_with_log();
  image.add_log_entry(0, 0, 1, {bat_write(5 * mib)});
  const DiskPtr file = make_memory_disk(image.bytes);
  CHECK(vhdx_driver.info(*file).virtual_size == 4 * mib);
  TestContext context;
  const CheckReport report = vhdx_driver.check(file, context, Repair::nothing);
  CHECK(report.allocated_blocks == 1);
  CHECK(context.warnings.size() == 1);
  CHECK(content_of(*file) == image.bytes);
}

}  // namespace vimg::test
