// VMDK: images that lie, hosts that fail, and changes in place with QEMU as the judge.
#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "formats/image.h"
#include "formats/vmdk_descriptor.h"
#include "tests/formats/format_checks.h"
#include "tests/formats/vmdk_support.h"

namespace vimg::test {
namespace {

void says(const Outcome& outcome, int code, std::string_view text) {
  CAPTURE(outcome.message);
  CHECK(outcome.code == code);
  CHECK(outcome.message.find(text) != std::string::npos);
}

Outcome outcome_of_text(const std::string& text) { return outcome_of(bytes_from(text)); }

// An empty stream, with its footer three sectors before the end.
std::vector<std::byte> empty_stream() {
  NewImage image;
  image.size = mib;
  image.options = CreateOptions("subformat=streamOptimized");
  const DiskPtr file = make_memory_disk({});
  vmdk_driver.create(*file, std::move(image));
  return content_of(*file);
}

int open_error(const std::string& path) {
  try {
    open_image(path, {});
  } catch (const Error& error) {
    return error.code();
  }
  return 0;
}

}  // namespace

TEST_CASE("vmdk: a header that lies about its tables is corrupt before anything is allocated") {
  const std::vector<std::byte> image = sparse_by_hand();
  CHECK(outcome_of(image).code == 0);
  says(outcome_of(patched(image, 4, le32(4))), EOPNOTSUPP, "version 4");
  says(outcome_of(patched(image, 12, le64(1ULL << 62))), EUCLEAN, "capacity");
  says(outcome_of(patched(image, 20, le64(7))), EUCLEAN, "a grain of 7 sectors");
  says(outcome_of(patched(image, 36, le64(1ULL << 40))), EUCLEAN, "descriptor");
  says(outcome_of(patched(image, 44, le32(0))), EUCLEAN, "grain tables of 0 entries");
  says(outcome_of(patched(image, 44, le32(513))), EUCLEAN, "grain tables of 513 entries");
  says(outcome_of(patched(image, 56, le64(1ULL << 54))), EUCLEAN, "the grain directory");
  says(outcome_of(patched(image, 48, le64(80))), EUCLEAN, "the redundant grain directory");
  says(outcome_of(patched(image, 73, le16(0x2020))), EUCLEAN, "line ends");
}

TEST_CASE("vmdk: tables and grains beyond the file are corrupt") {
  const std::vector<std::byte> image = sparse_by_hand();
  says(outcome_of(patched(image, 26 * vmdk::sector, le32(77))), EUCLEAN, "grain table 0");
  says(outcome_of(patched(image, 27 * vmdk::sector, le32(80))), EUCLEAN, "beyond the file end");
}

TEST_CASE("vmdk: a footer that disagrees with the header is refused") {
  const std::vector<std::byte> image = empty_stream();
  CHECK(outcome_of(image).code == 0);
  const std::size_t footer = image.size() - 2 * vmdk::sector;
  says(outcome_of(patched(image, footer + 12, le64(4096))), EUCLEAN, "disagree on the capacity");
  says(outcome_of(patched(image, footer + 28, le64(9))), EUCLEAN, "place of the descriptor");
  says(outcome_of(patched(image, footer, le32(0))), EUCLEAN, "no footer");
  says(outcome_of(patched(image, footer - vmdk::sector + 12, le32(2))), EUCLEAN, "no footer");
  says(outcome_of(patched(image, footer + vmdk::sector, le32(1))), EUCLEAN, "no footer");
}

TEST_CASE("vmdk: a descriptor that cannot be is refused by reason") {
  says(outcome_of_text(descriptor_text("monolithicFlat", "RW x FLAT \"a\" 0\n")), EUCLEAN,
       "number of sectors");
  says(outcome_of_text(descriptor_text("monolithicFlat", "")), EUCLEAN, "no extents");
  says(outcome_of_text(descriptor_text("custom", "RW 8 MAGIC \"a\"\n")), EOPNOTSUPP, "\"MAGIC\"");
  says(outcome_of_text(descriptor_text("fullDevice", "RW 8 FLAT \"/dev/sda\" 0\n")), EACCES,
       "\"/dev/sda\"");
  says(outcome_of_text(
           descriptor_text("monolithicFlat", "RW 8 FLAT \"a\" 0\n", "parentCID=12345678\n")),
       EUCLEAN, "does not name it");
  std::string text = descriptor_text("monolithicFlat", "RW 8 FLAT \"a\" 0\n");
  text.resize(std::size_t{1} << 20, '\n');
  TestContext context;
  context.disks["a"] = make_memory_disk(std::vector<std::byte>(4096));
  CHECK(outcome_of(bytes_from(text), context).code == 0);
  says(outcome_of(bytes_from(text + "\n"), context), EUCLEAN, "at most 0x100000");
  context.disks["a"] = make_memory_disk(std::vector<std::byte>(4095));
  says(outcome_of(bytes_from(text), context), EUCLEAN, "the extent \"a\" holds");
}

TEST_CASE("vmdk: extents and parents outside of the image's directory are refused") {
  const TemporaryDirectory directory;
  for (const char* name : {"/etc/passwd", "../secret", "json:{}", "http://host/x"}) {
    CAPTURE(name);
    const std::string extent = "RW 8 FLAT \"" + std::string(name) + "\" 0\n";
    write_file(directory / "flat.vmdk", bytes_from(descriptor_text("monolithicFlat", extent)));
    CHECK(open_error(directory / "flat.vmdk") == EACCES);
    const std::string parent =
        "parentCID=12345678\nparentFileNameHint=\"" + std::string(name) + "\"\n";
    write_file(directory / "top.vmdk",
               bytes_from(descriptor_text("vmfs", "RW 8 VMFS \"flat.vmdk\"\n", parent)));
    CHECK(open_error(directory / "top.vmdk") == EACCES);
  }
}

TEST_CASE("vmdk: a grain that does not decode to a grain is corrupt") {
  const std::vector<std::byte> image =
      written_by_qemu("vmdk", "-o subformat=streamOptimized 1M", {"write -c -P 1 0 64k"});
  CHECK(outcome_of(image).code == 0);
  const auto begin = std::ranges::search(image, bytes_of(std::string_view("\x78\x9c", 2))).begin();
  const auto at = std::size_t(begin - image.begin());
  says(outcome_of(patched(image, at - 4, le32(0))), EUCLEAN, "bytes long");
  says(outcome_of(patched(image, at - 4, le32(0x20001))), EUCLEAN, "bytes long");
  says(outcome_of(patched(image, at, le16(0xffff))), EUCLEAN, "no zlib stream");
}

TEST_CASE("vmdk: whichever read fails, an error comes out and no wrong byte") {
  check_read_faults(vmdk_driver, sparse_by_hand());
  check_read_faults(vmdk_driver, written_by_qemu("vmdk", "-o subformat=streamOptimized 1M",
                                                 {"write -c -P 1 0 64k"}));
}

TEST_CASE(
    "vmdk: changes of a delta link leave the parent alone, get a CID and are what QEMU reads") {
  const TemporaryDirectory directory;
  std::vector<std::byte> content = patchy(2 * mib, 3);
  write_file(directory / "raw", content);
  must_run("cd " + directory.path() +
           " && qemu-img convert -f raw -O vmdk raw base.vmdk"
           " && qemu-img create -q -f vmdk -o zeroed_grain=on -b base.vmdk -F vmdk top.vmdk");
  const std::vector<std::byte> base = read_file(directory / "base.vmdk");
  const auto cid = [&] {
    return *vmdk::parse_descriptor(
                vmdk::read_descriptor(*make_memory_disk(read_file(directory / "top.vmdk")),
                                      {512, 10240}))
                .cid;
  };
  const std::uint32_t before = cid();
  {
    const DiskPtr disk = open_format(vmdk_driver, directory / "top.vmdk", Access::read_write);
    REQUIRE(disk->writable());
    disk->write(100000, std::vector<std::byte>(70000, std::byte{9}));
    disk->write_zeros(500000, 300000);
  }
  std::fill_n(content.begin() + 100000, 70000, std::byte{9});
  std::fill_n(content.begin() + 500000, 300000, std::byte{0});
  CHECK(cid() != before);
  CHECK(read_file(directory / "base.vmdk") == base);
  must_run("qemu-img check -f vmdk " + directory / "top.vmdk");
  const bool is_same = qemu_content(directory, "top.vmdk") == content;
  CHECK(is_same);
}

TEST_CASE("vmdk: a flat image is changed in place") {
  const TemporaryDirectory directory;
  must_run("cd " + directory.path() +
           " && qemu-img create -q -f vmdk -o subformat=monolithicFlat image.vmdk 1M");
  open_format(vmdk_driver, directory / "image.vmdk", Access::read_write)
      ->write(1000, std::vector<std::byte>(5000, std::byte{4}));
  std::vector<std::byte> expected(mib);
  std::fill_n(expected.begin() + 1000, 5000, std::byte{4});
  const bool is_same = qemu_content(directory, "image.vmdk") == expected;
  CHECK(is_same);
}

}  // namespace vimg::test
