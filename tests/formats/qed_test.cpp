#include <algorithm>
#include <cerrno>

#include <doctest/doctest.h>

#include "disk/memory_disk.h"
#include "tests/formats/format_checks.h"
#include "tests/formats/test_context.h"

namespace vimg {

extern const FormatDriver qed_driver;

namespace test {
namespace {

const std::vector<std::byte>& image() {
  static const std::vector<std::byte> bytes =
      written_by_qemu("qed", "-o cluster_size=8k,table_size=2 3M",
                      {"write -P 1 100k 10k", "write -P 2 2560k 300k", "write -z 104k 8k"});
  return bytes;
}

}  // namespace

TEST_CASE("qed: an image decodes to what QEMU decodes it to") {
  CHECK(decoded(qed_driver, image()) == decoded_by_qemu("qed", image()));
}

TEST_CASE("qed: what is not allocated is the backing file's, and zeros beyond its end") {
  std::vector<std::byte> top = image();
  store(Bytes(top), 16, le64(1 | 4));
  const std::size_t name_offset = 100;
  store(Bytes(top), 56, le32(name_offset));
  store(Bytes(top), 60, le32(4));
  std::ranges::copy(bytes_of("base"), top.begin() + name_offset);
  TestContext context;
  context.disks["base"] = make_memory_disk(std::vector<std::byte>(5000, std::byte{9}));
  const auto content = content_of(*qed_driver.open(make_memory_disk(top), context));
  CHECK(content[4999] == std::byte{9});
  CHECK(content[5000] == std::byte{0});
  CHECK(content[101 << 10] == std::byte{1});
}

TEST_CASE("qed: holes are told from data") {
  TestContext context;
  const DiskPtr disk = qed_driver.open(make_memory_disk(image()), context);
  CHECK(disk->extent(0, 1U << 20).kind == Extent::Kind::hole);
  CHECK(disk->extent(0, 1U << 20).length == 96U << 10);
  CHECK(disk->extent(96U << 10, 1U << 20).kind == Extent::Kind::data);
}

TEST_CASE("qed: an unknown feature is refused and named") {
  const auto broken = patched(image(), 16, le64(1U << 5));
  CHECK(error_of(qed_driver, broken) == EOPNOTSUPP);
  CHECK(message_of(qed_driver, broken) == "qed: unknown feature bit 5");
}

TEST_CASE("qed: sizes and places that cannot be are refused") {
  CHECK(error_of(qed_driver, patched(image(), 4, le32(4095))) == EUCLEAN);
  CHECK(error_of(qed_driver, patched(image(), 4, le32(1U << 27))) == EUCLEAN);
  CHECK(error_of(qed_driver, patched(image(), 8, le32(3))) == EUCLEAN);
  CHECK(error_of(qed_driver, patched(image(), 8, le32(32))) == EUCLEAN);
  CHECK(error_of(qed_driver, patched(image(), 40, le64(~std::uint64_t{0}))) == EUCLEAN);
  CHECK(error_of(qed_driver, patched(image(), 40, le64(16385))) == EUCLEAN);
  CHECK(error_of(qed_driver, patched(image(), 48, le64(1ULL << 62))) == EUCLEAN);
  CHECK(error_of(qed_driver, {image().begin(), image().begin() + 63}) != 0);
}

TEST_CASE("qed: an L1 entry beyond the file or in the header is corrupt") {
  const std::size_t l1 = load<le64>(image(), 40);
  CHECK(error_of(qed_driver, patched(image(), l1, le64(1ULL << 40))) == EUCLEAN);
  CHECK(error_of(qed_driver, patched(image(), l1, le64(100))) == EUCLEAN);
}

TEST_CASE("qed: a read that fails is an error, never wrong content") {
  check_read_faults(qed_driver, image());
}

}  // namespace test
}  // namespace vimg
