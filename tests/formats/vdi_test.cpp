#include <algorithm>
#include <cerrno>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/guid.h"
#include "disk/memory_disk.h"
#include "formats/image.h"
#include "sources/host_file.h"
#include "tests/formats/format_checks.h"
#include "tests/formats/test_context.h"
#include "tests/support/host.h"

namespace vimg {

extern const FormatDriver vdi_driver;

namespace test {
namespace {

constexpr std::size_t table_field = 0x154;
constexpr std::size_t data_field = 0x158;
constexpr std::size_t allocated_field = 0x184;
constexpr std::size_t id_field = 0x188;
constexpr std::size_t parent_field = 0x1a8;

// Five blocks, of which the third and the last are allocated.
const std::vector<std::byte>& image() {
  static const std::vector<std::byte> bytes =
      written_by_qemu("vdi", "5M", {"write -P 1 2100k 10k", "write -P 2 4500k 100k"});
  return bytes;
}

std::vector<std::byte> child_of(const std::vector<std::byte>& parent) {
  std::vector<std::byte> bytes = content_of(*new_image(vdi_driver, 5U << 20));
  store(Bytes(bytes), 0x4c, le32(4));
  std::copy_n(parent.begin() + id_field, 32, bytes.begin() + parent_field);
  return bytes;
}

// What a program leaves that is killed: the header counts a block that the table does not have.
DiskPtr cut_short() {
  std::vector<std::byte> bytes = image();
  store(Bytes(bytes), allocated_field, le32(3));
  bytes.resize(bytes.size() + (1U << 20), std::byte{7});
  return make_memory_disk(bytes);
}

}  // namespace

TEST_CASE("vdi: an image decodes to what QEMU decodes it to") {
  CHECK(decoded(vdi_driver, image()) == decoded_by_qemu("vdi", image()));
}

TEST_CASE("vdi: QEMU reads what was made and written here, and finds nothing wrong") {
  for (const char* const options : {"", "static=on"}) {
    const DiskPtr file = new_image(vdi_driver, 5U << 20, options);
    TestContext context({}, Access::read_write);
    {
      const DiskPtr disk = vdi_driver.open(file, context);
      disk->write(1000, std::vector<std::byte>(3U << 20, std::byte{5}));
      disk->write_zeros(4096, 8192);
      disk->flush();
    }
    const std::vector<std::byte> bytes = content_of(*file);
    CHECK(decoded(vdi_driver, bytes) == decoded_by_qemu("vdi", bytes));
    CHECK(check(vdi_driver, file).findings.empty());
    const TemporaryDirectory directory;
    write_file(directory / "image", bytes);
    CHECK_NOTHROW(must_run("qemu-img check -f vdi " + directory / "image"));
  }
}

TEST_CASE("vdi: a differencing image finds its parent by its ID among the files beside it") {
  const TemporaryDirectory directory;
  write_file(directory / "base.vdi", image());
  write_file(directory / "other.vdi", written_by_qemu("vdi", "5M", {}));
  write_file(directory / "no.vdi", std::vector<std::byte>(100));
  write_file(directory / "child.vdi", child_of(image()));
  ImageOptions options;
  options.access = Access::read_write;
  std::vector<std::byte> expected = decoded(vdi_driver, image());
  {
    const Image opened = open_image(directory / "child.vdi", options);
    CHECK(opened.warnings.empty());
    CHECK(opened.files.size() == 2);
    opened.disk->write(2100U << 10, std::vector<std::byte>(100, std::byte{9}));
    std::fill_n(expected.begin() + (2100U << 10), 100, std::byte{9});
    opened.disk->write_zeros(4U << 20, 1U << 20);
    std::fill_n(expected.begin() + (4U << 20), 1U << 20, std::byte{0});
  }
  CHECK(content_of(*open_image(directory / "child.vdi", {}).disk) == expected);
  CHECK(read_file(directory / "base.vdi") == image());
  std::filesystem::remove(directory / "base.vdi");
  CHECK_THROWS_WITH_AS(open_image(directory / "child.vdi", {}),
                       doctest::Contains("is not in the same directory"), Error);
}

// Two images with one ID come from a copy of the file, of which one was changed later.
TEST_CASE("vdi: of two parents with the right ID the one that was not changed is taken") {
  const TemporaryDirectory directory;
  std::vector<std::byte> changed = written_by_qemu("vdi", "5M", {"write -P 7 0 1M"});
  std::copy_n(image().begin() + id_field, 16, changed.begin() + id_field);
  write_file(directory / "a.vdi", changed);
  write_file(directory / "b.vdi", image());
  write_file(directory / "child.vdi", child_of(image()));
  {
    const Image opened = open_image(directory / "child.vdi", {});
    CHECK(opened.warnings.empty());
    CHECK(content_of(*opened.disk) == decoded(vdi_driver, image()));
  }
  std::filesystem::remove(directory / "b.vdi");
  const Image opened = open_image(directory / "child.vdi", {});
  CHECK(opened.warnings.size() == 1);
  CHECK(content_of(*opened.disk) == decoded(vdi_driver, changed));
}

// The table follows the header, the data the table: VirtualBox before 1.1.
TEST_CASE("vdi: an image of version 0 is read and written") {
  std::vector<std::byte> bytes = image();
  const std::size_t table = load<le32>(bytes, table_field);
  const std::size_t data = load<le32>(bytes, data_field);
  std::vector<std::byte> old(0x1a4);
  std::copy_n(bytes.begin(), 0x44, old.begin());
  store(Bytes(old), 0x44, le32(2));                             // version 0.2
  std::copy_n(bytes.begin() + 0x4c, 264, old.begin() + 0x48);   // type, flags, comment
  std::copy_n(bytes.begin() + 0x15c, 16, old.begin() + 0x150);  // geometry
  std::copy_n(bytes.begin() + 0x170, 12, old.begin() + 0x160);  // sizes
  std::copy_n(bytes.begin() + 0x180, 8, old.begin() + 0x16c);   // counts
  std::copy_n(bytes.begin() + id_field, 48, old.begin() + 0x174);
  old.insert(old.end(), bytes.begin() + std::ptrdiff_t(table),
             bytes.begin() + std::ptrdiff_t(table) + 5 * 4);
  old.insert(old.end(), bytes.begin() + std::ptrdiff_t(data), bytes.end());
  CHECK(decoded(vdi_driver, old) == decoded(vdi_driver, image()));
  const DiskPtr file = make_memory_disk(old);
  TestContext context({}, Access::read_write);
  {
    const DiskPtr disk = vdi_driver.open(file, context);
    disk->write(0, std::vector<std::byte>(512, std::byte{3}));
    disk->flush();
  }
  CHECK(check(vdi_driver, file).findings.empty());
  CHECK(load<le32>(content_of(*file), 0x170) == 3);
  std::vector<std::byte> expected = decoded(vdi_driver, image());
  std::fill_n(expected.begin(), 512, std::byte{3});
  CHECK(decoded(vdi_driver, content_of(*file)) == expected);
}

TEST_CASE("vdi: a block that a killed program left is used again, with zeros") {
  const DiskPtr file = cut_short();
  CHECK(check(vdi_driver, file).leaks > 0);
  TestContext context({}, Access::read_write);
  {
    const DiskPtr disk = vdi_driver.open(file, context);
    disk->write(0, std::vector<std::byte>(512, std::byte{3}));
    disk->flush();
  }
  CHECK(check(vdi_driver, file).findings.empty());
  std::vector<std::byte> expected = decoded(vdi_driver, image());
  std::fill_n(expected.begin(), 512, std::byte{3});
  CHECK(decoded(vdi_driver, content_of(*file)) == expected);
}

TEST_CASE("vdi: a repair gives back what is unused at the end and sets the count right") {
  const DiskPtr file = cut_short();
  const CheckReport report = check(vdi_driver, file, Repair::leaks);
  CHECK(report.leaks_fixed == report.leaks);
  CHECK(check(vdi_driver, file).findings.empty());
  CHECK(file->size() == image().size());
}

TEST_CASE("vdi: a check finds blocks beyond the end and two at one place") {
  const std::size_t table = load<le32>(image(), table_field);
  const std::uint32_t used = load<le32>(image(), table + 8);
  CHECK(check(vdi_driver, make_memory_disk(patched(image(), table, le32(100)))).corruptions == 1);
  CHECK(check(vdi_driver, make_memory_disk(patched(image(), table, le32(used)))).corruptions == 1);
}

TEST_CASE("vdi: versions, types and sizes that are not known are refused") {
  CHECK(error_of(vdi_driver, patched(image(), 0x44, le32(0x00020000))) == EOPNOTSUPP);
  CHECK(error_of(vdi_driver, patched(image(), 0x4c, le32(3))) == EOPNOTSUPP);
  CHECK(error_of(vdi_driver, patched(image(), 0x178, le32(1000))) == EUCLEAN);
  CHECK(error_of(vdi_driver, patched(image(), 0x180, le32(0xffffffff))) == EUCLEAN);
  CHECK(error_of(vdi_driver, patched(image(), 0x180, le32(4))) == EUCLEAN);
  CHECK(error_of(vdi_driver, patched(image(), 0x170, le64(~std::uint64_t{0}))) == EUCLEAN);
  CHECK(error_of(vdi_driver, patched(image(), table_field, le32(0xfffffff0))) == EUCLEAN);
  CHECK(error_of(vdi_driver, patched(image(), table_field, le32(8))) == EUCLEAN);
  CHECK(error_of(vdi_driver, patched(image(), data_field, le32(513))) == EUCLEAN);
}

TEST_CASE("vdi: a block beyond the file is corrupt") {
  const std::size_t table = load<le32>(image(), table_field);
  CHECK(error_of(vdi_driver, patched(image(), table, le32(0xfffffffd))) == EUCLEAN);
}

TEST_CASE("vdi: a read that fails is an error, never wrong content") {
  check_read_faults(vdi_driver, image());
}

TEST_CASE("vdi: sizes and options that cannot be made are refused") {
  CHECK_THROWS_AS(new_image(vdi_driver, 513), Error);
  CHECK_THROWS_AS(new_image(vdi_driver, 1ULL << 60), Error);
  CHECK_THROWS_WITH_AS(new_image(vdi_driver, 512, "x=y"), "vdi: there is no option \"x\"", Error);
}

}  // namespace test
}  // namespace vimg
