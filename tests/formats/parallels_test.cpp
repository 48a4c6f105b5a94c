#include <cerrno>

#include <doctest/doctest.h>

#include "disk/memory_disk.h"
#include "tests/formats/format_checks.h"
#include "tests/formats/test_context.h"

namespace vimg {

extern const FormatDriver parallels_driver;

namespace test {
namespace {

const std::vector<std::byte>& image() {
  static const std::vector<std::byte> bytes = written_by_qemu(
      "parallels", "-o cluster_size=64k 1M", {"write -P 1 100k 10k", "write -P 2 640k 200k"});
  return bytes;
}

}  // namespace

TEST_CASE("parallels: an image decodes to what QEMU decodes it to") {
  CHECK(decoded(parallels_driver, image()) == decoded_by_qemu("parallels", image()));
}

TEST_CASE("parallels: the older magic makes entries count sectors") {
  std::vector<std::byte> old = image();
  std::ranges::copy(bytes_of("WithoutFreeSpace"), old.begin());
  const std::uint32_t entries = load<le32>(old, 32);
  for (std::uint32_t index = 0; index < entries; ++index) {
    store(Bytes(old), 64 + index * 4, le32(load<le32>(old, 64 + index * 4) * 128));
  }
  CHECK(decoded(parallels_driver, old) == decoded(parallels_driver, image()));
  CHECK(decoded_by_qemu("parallels", old) == decoded(parallels_driver, image()));
}

TEST_CASE("parallels: an image in use says so") {
  TestContext context;
  parallels_driver.open(make_memory_disk(patched(image(), 44, le32(0x746F6E59))), context);
  CHECK(context.warnings.size() == 1);
}

TEST_CASE("parallels: sizes that cannot be are refused") {
  CHECK(error_of(parallels_driver, patched(image(), 16, le32(3))) == EOPNOTSUPP);
  CHECK(error_of(parallels_driver, patched(image(), 28, le32(0))) == EUCLEAN);
  CHECK(error_of(parallels_driver, patched(image(), 28, le32(0x80000000))) == EUCLEAN);
  CHECK(error_of(parallels_driver, patched(image(), 32, le32(0xffffffff))) == EUCLEAN);
  CHECK(error_of(parallels_driver, patched(image(), 36, le64(1ULL << 60))) == EUCLEAN);
}

TEST_CASE("parallels: a block beyond the file is corrupt") {
  CHECK(error_of(parallels_driver, patched(image(), 64, le32(0xffffffff))) == EUCLEAN);
}

TEST_CASE("parallels: a read that fails is an error, never wrong content") {
  check_read_faults(parallels_driver, image());
}

}  // namespace test
}  // namespace vimg
