#include <cerrno>

#include <doctest/doctest.h>

#include "tests/formats/format_checks.h"

namespace vimg {

extern const FormatDriver bochs_driver;

namespace test {
namespace {

constexpr std::size_t header_size = 512;
constexpr std::size_t extent_size = 4096;
constexpr std::size_t extent_count = 4;
constexpr std::size_t data = header_size + extent_count * 4;

void put(std::vector<std::byte>& image, std::size_t offset, std::string_view text) {
  std::ranges::copy(bytes_of(text), image.begin() + std::ptrdiff_t(offset));
}

// Four extents, of which the third is allocated and has its second and last sector written.
std::vector<std::byte> image(std::uint32_t version = 0x00020000) {
  std::vector<std::byte> bytes(data + 512 + extent_size);
  put(bytes, 0, "Bochs Virtual HD Image");
  put(bytes, 32, "Redolog");
  put(bytes, 48, "Growing");
  store(Bytes(bytes), 64, le32(version));
  store(Bytes(bytes), 68, le32(header_size));
  store(Bytes(bytes), 72, le32(extent_count));
  store(Bytes(bytes), 76, le32(1));
  store(Bytes(bytes), 80, le32(extent_size));
  store(Bytes(bytes), version == 0x00010000 ? 84 : 88, le64(extent_count * extent_size));
  for (std::size_t index = 0; index < extent_count; ++index) {
    store(Bytes(bytes), header_size + index * 4, le32(index == 2 ? 0 : 0xffffffff));
  }
  bytes[data] = std::byte{0x82};
  std::fill_n(bytes.begin() + data + 512 + 512, 512, std::byte{1});
  std::fill_n(bytes.begin() + data + 512 + 7 * 512, 512, std::byte{7});
  return bytes;
}

}  // namespace

TEST_CASE("bochs: both versions decode to what QEMU decodes them to") {
  for (const std::uint32_t version : {0x00010000U, 0x00020000U}) {
    const std::vector<std::byte> content = decoded(bochs_driver, image(version));
    CHECK(content == decoded_by_qemu("bochs", image(version)));
    CHECK(content[2 * extent_size + 512] == std::byte{1});
  }
}

TEST_CASE("bochs: other kinds are refused by name") {
  std::vector<std::byte> undoable = image();
  put(undoable, 48, "Undoable");
  CHECK(error_of(bochs_driver, undoable) == EOPNOTSUPP);
  CHECK(message_of(bochs_driver, undoable) ==
        "bochs: a Undoable Redolog image; only growing ones can be read");
}

TEST_CASE("bochs: sizes that cannot be are refused") {
  CHECK(error_of(bochs_driver, patched(image(), 80, le32(0))) == EUCLEAN);
  CHECK(error_of(bochs_driver, patched(image(), 80, le32(4095))) == EUCLEAN);
  CHECK(error_of(bochs_driver, patched(image(), 76, le32(0))) == EUCLEAN);
  CHECK(error_of(bochs_driver, patched(image(), 72, le32(0xffffffff))) == EUCLEAN);
  CHECK(error_of(bochs_driver, patched(image(), 68, le32(0xffffff00))) == EUCLEAN);
  CHECK(error_of(bochs_driver, patched(image(), 88, le64(~std::uint64_t{0}))) == EUCLEAN);
}

TEST_CASE("bochs: an extent beyond the file is corrupt") {
  CHECK(error_of(bochs_driver, patched(image(), header_size, le32(1))) == EUCLEAN);
  CHECK(error_of(bochs_driver, patched(image(), header_size, le32(0xfffffffe))) == EUCLEAN);
}

TEST_CASE("bochs: a read that fails is an error, never wrong content") {
  check_read_faults(bochs_driver, image());
}

}  // namespace test
}  // namespace vimg
