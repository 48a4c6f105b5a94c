#include <cerrno>
#include <random>

#include <doctest/doctest.h>
#include <libdeflate.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "formats/ewf_segments.h"
#include "formats/image.h"
#include "tests/formats/format_checks.h"
#include "tests/formats/test_context.h"
#include "tests/support/host.h"

namespace vimg {

extern const FormatDriver ewf_driver;

namespace test {
namespace {

// Half noise, half text, so that chunks are stored in both ways; no whole number of chunks.
std::vector<std::byte> content(std::size_t size = 300 * 512) {
  std::vector<std::byte> bytes(size);
  std::mt19937 random(5);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] = std::byte(at < bytes.size() / 2 ? random() : at / 200);
  }
  return bytes;
}

// The files that ewfacquire makes of `bytes`, in `directory`; the first one's path.
std::string acquire(const TemporaryDirectory& directory, const std::vector<std::byte>& bytes,
                    const std::string& options) {
  write_file(directory / "disk.raw", bytes);
  must_run("cd " + directory.path() + " && ewfacquire -u -q -t image " + options + " " +
           (directory / "disk.raw"));
  return directory / "image.E01";
}

const std::vector<std::byte>& image() {
  static const std::vector<std::byte> bytes = [] {
    const TemporaryDirectory directory;
    return read_file(acquire(directory, content(), "-c fast -b 16"));
  }();
  return bytes;
}

CheckReport check(std::vector<std::byte> bytes) {
  TestContext context;
  return ewf_driver.check(make_memory_disk(std::move(bytes)), context, Repair::nothing);
}

// The section called `type`: the offset of its header.
std::size_t section(std::string_view type) {
  std::size_t offset = 13;
  while (text_of(ConstBytes(image()).subspan(offset, type.size() + 1)) !=
         std::string(type) + '\0') {
    const std::size_t next = load<le64>(image(), offset + 16);
    REQUIRE(next > offset);
    offset = next;
  }
  return offset;
}

std::vector<std::byte> with_section(std::string_view type, std::size_t field, std::uint64_t value) {
  std::vector<std::byte> bytes = image();
  const std::size_t at = section(type);
  store(Bytes(bytes), at + field, le64(value));
  store(Bytes(bytes), at + 72, le32(libdeflate_adler32(1, bytes.data() + at, 72)));
  return bytes;
}

}  // namespace

TEST_CASE("ewf: what ewfacquire wrote decodes to what it read, compressed in every way") {
  for (const char* const options : {"-c none -b 16", "-c fast -b 64", "-c best -b 128",
                                    "-f encase6 -c fast", "-f ftk", "-f smart -c fast"}) {
    CAPTURE(options);
    const TemporaryDirectory directory;
    std::string path = acquire(directory, content(), options);
    if (std::string(options).find("smart") != std::string::npos) {
      path = directory / "image.s01";
    }
    CHECK(content_of(*open_image(path, {}).disk) == content());
  }
}

TEST_CASE("ewf: segment files are found by their names") {
  const TemporaryDirectory directory;
  std::vector<std::byte> noise(3U << 20);
  std::mt19937 random(1);
  for (std::byte& byte : noise) {
    byte = std::byte(random());
  }
  const std::string path = acquire(directory, noise, "-c none -S 1MiB");
  const Image image = open_image(path, {});
  CHECK(image.files.size() >= 3);
  CHECK(content_of(*image.disk) == noise);
  std::filesystem::remove(directory / "image.E02");
  CHECK_THROWS_WITH_AS(open_image(path, {}), doctest::Contains("segment 2"), Error);
}

TEST_CASE("ewf: segments are named E01 to E99, EAA to EZZ, FAA and on, in the case of the first") {
  CHECK(ewf::next_segment_name("a.E01") == "a.E02");
  CHECK(ewf::next_segment_name("a.E99") == "a.EAA");
  CHECK(ewf::next_segment_name("a.e99") == "a.eaa");
  CHECK(ewf::next_segment_name("a.EAZ") == "a.EBA");
  CHECK(ewf::next_segment_name("a.EZZ") == "a.FAA");
  CHECK(!ewf::next_segment_name("a.ZZZ"));
  CHECK(!ewf::next_segment_name("image"));
  CHECK(!ewf::next_segment_name("a.imgx"));
}

TEST_CASE("ewf: a check decodes everything and holds it against the noted hashes") {
  CHECK(check(image()).corruptions == 0);
  std::vector<std::byte> bytes = image();
  bytes[section("hash") + 76] ^= std::byte{1};
  CHECK(check(bytes).findings ==
        std::vector<std::string>{"the MD5 of the disk is not the one noted in the image"});
  bytes = image();
  bytes[section("sectors") + 76 + 100] ^= std::byte{1};
  CHECK(check(bytes).corruptions >= 2);
}

TEST_CASE("ewf: a changed byte in a chunk is found when it is read") {
  std::vector<std::byte> bytes = image();
  bytes[section("sectors") + 76 + 100] ^= std::byte{1};
  CHECK(error_of(ewf_driver, bytes) == EUCLEAN);
}

TEST_CASE("ewf: the copy of a broken table is used") {
  std::vector<std::byte> bytes = image();
  bytes[section("table") + 76 + 20] ^= std::byte{1};
  CHECK(decoded(ewf_driver, bytes) == content());
  bytes[section("table2") + 76 + 20] ^= std::byte{1};
  CHECK(error_of(ewf_driver, bytes) == EUCLEAN);
}

TEST_CASE("ewf: sections that go back, leave the file or have a wrong checksum are corrupt") {
  CHECK(error_of(ewf_driver, with_section("volume", 16, 13)) == EUCLEAN);
  CHECK(error_of(ewf_driver, with_section("volume", 16, ~std::uint64_t{0})) == EUCLEAN);
  CHECK(error_of(ewf_driver, patched(image(), section("volume") + 24, le64(1))) == EUCLEAN);
}

TEST_CASE("ewf: sizes that cannot be are refused") {
  const std::size_t volume = section("volume") + 76;
  CHECK(error_of(ewf_driver, patched(image(), volume + 8, le32(0))) == EUCLEAN);
  CHECK(error_of(ewf_driver, patched(image(), volume + 8, le32(0xffffffff))) == EUCLEAN);
  CHECK(error_of(ewf_driver, patched(image(), volume + 16, le64(1ULL << 60))) == EUCLEAN);
  CHECK(error_of(ewf_driver, patched(image(), volume + 16, le64(1ULL << 40))) == EUCLEAN);
}

TEST_CASE("ewf: logical evidence and version 2 are refused by name") {
  std::vector<std::byte> bytes = image();
  bytes[0] = std::byte{'L'};
  CHECK(error_of(ewf_driver, bytes) == EOPNOTSUPP);
}

TEST_CASE("ewf: a read that fails is an error, never wrong content") {
  const TemporaryDirectory directory;
  check_read_faults(ewf_driver, read_file(acquire(directory, content(40 * 512), "-b 16")));
}

}  // namespace test
}  // namespace vimg
