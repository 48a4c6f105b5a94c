#include <algorithm>
#include <cerrno>
#include <string_view>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "formats/image.h"
#include "formats/vhd_layout.h"
#include "tests/formats/format_checks.h"
#include "tests/formats/test_context.h"
#include "tests/support/host.h"

namespace vimg {

extern const FormatDriver vpc_driver;

namespace test {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t header_at = 512;
constexpr std::uint64_t disk_size = 9U << 20;
constexpr std::uint64_t vpc_size = 271ULL * 4 * 17 * 512;  // its geometry's

// Five blocks, of which the second and the last are allocated.
const std::vector<std::byte>& image() {
  static const std::vector<std::byte> bytes = written_by_qemu(
      "vpc", "-o force_size=on 9M", {"write -P 1 2100k 10k", "write -P 2 9000k 100k"});
  return bytes;
}

void set_checksum(std::vector<std::byte>& bytes, std::size_t offset) {
  auto footer = load<vhd::Footer>(bytes, offset);
  footer.checksum = vhd::checksum_of(footer);
  store(Bytes(bytes), offset, footer);
}

// `image` with a footer field changed, at both ends, and its checksum right.
template <OnDisk T>
std::vector<std::byte> with_footer(std::size_t field, T value,
                                   const std::vector<std::byte>& old = image()) {
  std::vector<std::byte> bytes = patched(old, field, value);
  store(Bytes(bytes), bytes.size() - 512 + field, value);
  set_checksum(bytes, 0);
  set_checksum(bytes, bytes.size() - 512);
  return bytes;
}

// Made by `creator`, with a geometry of vpc_size, as QEMU with force_size writes none.
std::vector<std::byte> made_by(std::string_view creator) {
  std::array<char, 4> text{};
  std::ranges::copy(creator, text.begin());
  return with_footer(28, text, with_footer(56, be32(271U << 16 | 4U << 8 | 17U)));
}

template <OnDisk T>
std::vector<std::byte> with_header(std::size_t field, T value) {
  std::vector<std::byte> bytes = patched(image(), header_at + field, value);
  auto header = load<vhd::DynamicHeader>(bytes, header_at);
  header.checksum = vhd::checksum_of(header);
  store(Bytes(bytes), header_at, header);
  return bytes;
}

void write_to(const DiskPtr& file, std::uint64_t offset, std::size_t length, std::byte value) {
  TestContext context({}, Access::read_write);
  const DiskPtr disk = vpc_driver.open(file, context);
  disk->write(offset, std::vector<std::byte>(length, value));
  disk->flush();
}

// A differencing image on `parent`, named by one locator.
std::vector<std::byte> child_of(const std::vector<std::byte>& parent, std::string_view platform,
                                const std::vector<std::byte>& name) {
  std::vector<std::byte> bytes = content_of(*new_image(vpc_driver, disk_size));
  auto header = load<vhd::DynamicHeader>(bytes, header_at);
  const auto parent_footer = load<vhd::Footer>(parent, 0);
  header.parent_id = parent_footer.id;
  header.parent_time_stamp = parent_footer.time_stamp;
  std::ranges::copy(platform, header.locators[0].platform.begin());
  header.locators[0].length = std::uint32_t(name.size());
  header.locators[0].offset = bytes.size() - 512;
  header.checksum = vhd::checksum_of(header);
  store(Bytes(bytes), header_at, header);
  std::vector<std::byte> footer(bytes.end() - 512, bytes.end());
  bytes.resize(bytes.size() - 512);
  bytes.insert(bytes.end(), name.begin(), name.end());
  bytes.resize((bytes.size() + 511) / 512 * 512);
  bytes.insert(bytes.end(), footer.begin(), footer.end());
  for (const std::size_t at : {std::size_t{0}, bytes.size() - 512}) {
    store(Bytes(bytes), at + 60, be32(vhd::type_differencing));
    set_checksum(bytes, at);
  }
  return bytes;
}

std::vector<std::byte> utf16(std::string_view text) {
  std::vector<std::byte> bytes;
  for (const char c : text) {
    bytes.push_back(std::byte(c));
    bytes.push_back(std::byte{0});
  }
  return bytes;
}

}  // namespace

TEST_CASE("vhd: an image decodes to what QEMU decodes it to") {
  CHECK(decoded(vpc_driver, image()) == decoded_by_qemu("vpc", image()));
}

TEST_CASE("vhd: QEMU reads what was made and written here") {
  for (const char* const options : {"", "subformat=fixed"}) {
    const DiskPtr file = new_image(vpc_driver, disk_size, options);
    TestContext context({}, Access::read_write);
    {
      const DiskPtr disk = vpc_driver.open(file, context);
      CHECK(disk->size() == disk_size);
      disk->write(1000, std::vector<std::byte>(3U << 20, std::byte{5}));
      disk->write_zeros(4096, 8192);
      disk->write(disk_size - 100, std::vector<std::byte>(100, std::byte{6}));
      disk->flush();
    }
    const std::vector<std::byte> bytes = content_of(*file);
    CHECK(decoded(vpc_driver, bytes) == decoded_by_qemu("vpc", bytes));
    CHECK(check(vpc_driver, file).findings.empty());
  }
}

TEST_CASE("vhd: who made the image decides whether its size or its geometry counts") {
  const auto size_with = [](std::string_view creator) {
    TestContext context;
    const auto bytes = made_by(creator);
    const std::uint64_t size = vpc_driver.open(make_memory_disk(bytes), context)->size();
    CHECK(size == decoded_by_qemu("vpc", bytes).size());
    return size;
  };
  CHECK(size_with("qem2") == disk_size);
  CHECK(size_with("win ") == disk_size);
  CHECK(size_with("d2v ") == disk_size);
  CHECK(size_with("vpc ") == vpc_size);
  CHECK(size_with("qemu") == vpc_size);
}

// QEMU 10 knows them, older ones cut their disks short.
TEST_CASE("vhd: the size counts for Azure, VirtualBox and whoever is not known") {
  for (const std::string_view creator : {std::string_view("wa\0\0", 4), "vbox"sv, "abcd"sv}) {
    TestContext context;
    const auto file = make_memory_disk(made_by(creator));
    CHECK(vpc_driver.open(file, context)->size() == disk_size);
  }
}

// A file that was copied in part: the blocks' last sectors are lost, and the footer with them.
TEST_CASE("vhd: the footer of an image cut short is put behind its last block, not into it") {
  std::vector<std::byte> bytes = image();
  bytes.resize(bytes.size() - (1100U << 10));
  const std::vector<std::byte> before = decoded(vpc_driver, bytes);
  const DiskPtr file = make_memory_disk(bytes);
  std::vector<std::byte> expected = before;
  write_to(file, 0, 512, std::byte{3});
  std::fill_n(expected.begin(), 512, std::byte{3});
  CHECK(decoded(vpc_driver, content_of(*file)) == expected);
  CHECK(check(vpc_driver, file).findings.empty());
}

TEST_CASE("vhd: a block that reaches over the footer is a corruption, and is not written over") {
  const std::size_t table = load<be64>(image(), header_at + 16);
  const std::size_t stride = 512 + (2U << 20);
  const std::uint32_t over = std::uint32_t((image().size() - stride) / 512);
  const std::vector<std::byte> bytes = patched(image(), table + 8, be32(over));
  const DiskPtr file = make_memory_disk(bytes);
  CHECK(check(vpc_driver, file).corruptions > 0);
  std::vector<std::byte> expected = decoded(vpc_driver, bytes);
  write_to(file, 0, 512, std::byte{3});
  std::fill_n(expected.begin(), 512, std::byte{3});
  CHECK(decoded(vpc_driver, content_of(*file)) == expected);
}

TEST_CASE("vhd: an image with a block in its own tables or beyond its end is not written to") {
  const std::size_t table = load<be64>(image(), header_at + 16);
  for (const std::uint32_t sector : {0U, 1U, std::uint32_t(table / 512), 1U << 30}) {
    const std::vector<std::byte> bytes = patched(image(), table, be32(sector));
    const DiskPtr file = make_memory_disk(bytes);
    CHECK_THROWS_AS(write_to(file, 3U << 20, 512, std::byte{3}), Error);
    CHECK(content_of(*file) == bytes);
  }
}

// VirtualBox and Virtual PC set a bit for each sector that they write, and go by it when they read.
TEST_CASE("vhd: the bitmap of a dynamic disk says what was written, before and after") {
  const std::size_t table = load<be64>(image(), header_at + 16);
  const std::size_t bitmap = std::size_t{load<be32>(image(), table + 4)} * 512;
  std::vector<std::byte> bytes = image();
  std::fill_n(bytes.begin() + std::ptrdiff_t(bitmap), 512, std::byte{0});
  const DiskPtr file = make_memory_disk(bytes);
  write_to(file, (2U << 20) + 20 * 512, 10 * 512, std::byte{3});
  const std::vector<std::byte> written = content_of(*file);
  CHECK(written[bitmap + 1] == std::byte{0});
  CHECK((written[bitmap + 2] & std::byte{0x0f}) == std::byte{0x0f});
  CHECK((written[bitmap + 3] & std::byte{0xfc}) == std::byte{0xfc});
  CHECK(written[bitmap + 4] == std::byte{0});
}

TEST_CASE("vhd: a repair leaves the names of the parent where they are") {
  const std::vector<std::byte> child = child_of(image(), "W2ru", utf16("base.vhd"));
  const DiskPtr file = make_memory_disk(patched(child, child.size() - 300, be32(1)));
  CHECK(check(vpc_driver, file, Repair::leaks).leaks_fixed == 1);
  CHECK(content_of(*file) == child);
}

TEST_CASE("vhd: the format is known as vhd, too") {
  CHECK(find_format("vhd") == &vpc_driver);
  CHECK(find_format("vpc") == &vpc_driver);
}

TEST_CASE("vhd: a fixed disk is known by a footer that fits, and by nothing less") {
  const std::vector<std::byte> fixed =
      content_of(*new_image(vpc_driver, 1U << 20, "subformat=fixed"));
  CHECK(vpc_driver.probe(*make_memory_disk(fixed)));
  std::vector<std::byte> longer = fixed;
  longer.insert(longer.begin(), 1024, std::byte{0});
  CHECK(!vpc_driver.probe(*make_memory_disk(longer)));
  CHECK(!vpc_driver.probe(*make_memory_disk(patched(fixed, fixed.size() - 100, be32(1)))));
}

TEST_CASE("vhd: the copy of a broken footer is used, with a warning, and a repair writes it back") {
  const DiskPtr file = make_memory_disk(patched(image(), image().size() - 300, be32(1)));
  TestContext context;
  CHECK(content_of(*vpc_driver.open(file, context)) == decoded(vpc_driver, image()));
  CHECK(context.warnings.size() == 1);
  CHECK(check(vpc_driver, file).leaks == 1);
  CHECK(check(vpc_driver, file, Repair::leaks).leaks_fixed == 1);
  CHECK(check(vpc_driver, file).findings.empty());
  CHECK(content_of(*file) == image());
}

TEST_CASE("vhd: a differencing image reads through to its parent, sector by sector") {
  for (const auto& [platform, name] :
       {std::pair{"W2ru", utf16(".\\base.vhd")}, std::pair{"W2ku", utf16("C:\\vm\\base.vhd")}}) {
    CAPTURE(platform);
    const TemporaryDirectory directory;
    write_file(directory / "base.vhd", image());
    write_file(directory / "child.vhd", child_of(image(), platform, name));
    std::vector<std::byte> expected = decoded(vpc_driver, image());
    ImageOptions options;
    options.access = Access::read_write;
    {
      const Image opened = open_image(directory / "child.vhd", options);
      CHECK(opened.warnings.empty());
      opened.disk->write(2100U << 10, std::vector<std::byte>(700, std::byte{9}));
      std::fill_n(expected.begin() + (2100U << 10), 700, std::byte{9});
    }
    CHECK(content_of(*open_image(directory / "child.vhd", {}).disk) == expected);
    CHECK(read_file(directory / "base.vhd") == image());
  }
}

TEST_CASE("vhd: a sector bitmap that is partly set is filled up by a write") {
  const TemporaryDirectory directory;
  write_file(directory / "base.vhd", image());
  std::vector<std::byte> child = child_of(image(), "W2ru", utf16("base.vhd"));
  const std::size_t table = load<be64>(child, header_at + 16);
  const std::size_t bitmap = child.size() - 512;
  child.insert(child.end() - 512, 512 + (2U << 20), std::byte{4});
  std::fill_n(child.begin() + std::ptrdiff_t(bitmap), 512, std::byte{0});
  child[bitmap + 6] = std::byte{0x40};  // sector 49 alone
  store(Bytes(child), table + 4, be32(std::uint32_t(bitmap / 512)));
  write_file(directory / "child.vhd", child);
  std::vector<std::byte> expected = decoded(vpc_driver, image());
  const std::size_t block = 2U << 20;
  std::fill_n(expected.begin() + std::ptrdiff_t(block + 49 * 512), 512, std::byte{4});
  CHECK(content_of(*open_image(directory / "child.vhd", {}).disk) == expected);
  ImageOptions options;
  options.access = Access::read_write;
  open_image(directory / "child.vhd", options)
      .disk->write(block + 100, std::vector<std::byte>(1000, std::byte{9}));
  std::fill_n(expected.begin() + std::ptrdiff_t(block + 100), 1000, std::byte{9});
  CHECK(content_of(*open_image(directory / "child.vhd", {}).disk) == expected);
}

TEST_CASE("vhd: a parent that is another image or lies elsewhere is refused") {
  const TemporaryDirectory directory;
  write_file(directory / "base.vhd", content_of(*new_image(vpc_driver, disk_size)));
  write_file(directory / "child.vhd", child_of(image(), "W2ru", utf16("base.vhd")));
  CHECK_THROWS_WITH_AS(open_image(directory / "child.vhd", {}),
                       doctest::Contains("is not the image that this one was made on"), Error);
  write_file(directory / "child.vhd", child_of(image(), "W2ru", utf16("..\\..\\etc\\passwd")));
  try {
    open_image(directory / "child.vhd", {});
    FAIL("opened");
  } catch (const Error& error) {
    CHECK(error.code() == EACCES);
  }
}

TEST_CASE("vhd: a check finds blocks beyond the end and over each other, and space without use") {
  const std::size_t table = load<be64>(image(), header_at + 16);
  const std::uint32_t used = load<be32>(image(), table + 4);
  CHECK(check(vpc_driver, make_memory_disk(patched(image(), table, be32(1U << 30)))).corruptions ==
        1);
  CHECK(check(vpc_driver, make_memory_disk(patched(image(), table, be32(used)))).corruptions == 1);
  CHECK(check(vpc_driver, make_memory_disk(patched(image(), table, be32(0)))).corruptions >= 1);
  const DiskPtr file = make_memory_disk(patched(image(), table + 16, be32(vhd::no_block)));
  CHECK(check(vpc_driver, file).leaks == 1);
  CHECK(check(vpc_driver, file, Repair::leaks).leaks_fixed == 1);
  CHECK(check(vpc_driver, file).findings.empty());
}

TEST_CASE("vhd: types, sizes and places that cannot be are refused") {
  CHECK(error_of(vpc_driver, with_footer(60, be32(5))) == EOPNOTSUPP);
  CHECK(error_of(vpc_driver, with_footer(12, be32(0x00020000))) == EOPNOTSUPP);
  CHECK(error_of(vpc_driver, with_footer(16, be64(1ULL << 60))) == EUCLEAN);
  CHECK(error_of(vpc_driver, with_header(32, be32(1000))) == EUCLEAN);
  CHECK(error_of(vpc_driver, with_header(32, be32(0))) == EUCLEAN);
  CHECK(error_of(vpc_driver, with_header(28, be32(0xffffffff))) == EUCLEAN);
  CHECK(error_of(vpc_driver, with_header(16, be64(~std::uint64_t{0}))) == EUCLEAN);
  CHECK(error_of(vpc_driver, patched(image(), header_at + 100, be32(1))) == EUCLEAN);
}

TEST_CASE("vhd: a block beyond the file is corrupt") {
  const std::size_t table = load<be64>(image(), header_at + 16);
  CHECK(error_of(vpc_driver, patched(image(), table, be32(0xfffffffe))) == EUCLEAN);
}

TEST_CASE("vhd: a read that fails is an error, never wrong content") {
  check_read_faults(vpc_driver, image());
}

TEST_CASE("vhd: sizes and options that cannot be made are refused") {
  CHECK_THROWS_AS(new_image(vpc_driver, 0), Error);
  CHECK_THROWS_AS(new_image(vpc_driver, 513), Error);
  CHECK_THROWS_AS(new_image(vpc_driver, 1ULL << 50), Error);
  CHECK_THROWS_AS(new_image(vpc_driver, 512, "force_size=off"), Error);
  CHECK_THROWS_AS(new_image(vpc_driver, 512, "subformat=thick"), Error);
}

}  // namespace test
}  // namespace vimg
