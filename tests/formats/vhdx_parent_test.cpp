// VHDX: differencing images.  No tool at hand makes them, so that they are made from [MS-VHDX].
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
constexpr std::uint64_t chunk_ratio = 4096;  // with blocks of 1 MiB and sectors of 512 bytes
constexpr char16_t linkage[] = u"{83ED00EC-1234-4567-8001-020304050607}";

using Parent = std::vector<std::pair<std::u16string, std::u16string>>;

Parent parent_at(const std::u16string& relative_path) {
  return {{u"parent_linkage", linkage}, {u"relative_path", relative_path}};
}

VhdxImage::Options child_of(const Parent& parent) {
  VhdxImage::Options options;
  options.parent = parent;
  return options;
}

// Blocks 0 and 1 are 0xa0 and 0xa1, the others are not there.
VhdxImage base_image() {
  VhdxImage base;
  base.add_block(0, std::byte{0xa0});
  base.add_block(1, std::byte{0xa1});
  return base;
}

// Of block 0 the sectors 3 to 9 are the child's, 0xc0; block 2 is its own, 0xc2; block 3 is zeros.
VhdxImage child_image(const Parent& parent = parent_at(u".\\base.vhdx")) {
  VhdxImage child(child_of(parent));
  const std::uint64_t place = child.add_block(0, std::byte{0xc0});
  child.set_entry(0, place, 7);
  child.set_bitmap(3, 10);
  child.add_block(2, std::byte{0xc2});
  child.set_entry(3, 0, 2);
  return child;
}

std::vector<std::byte> expected_content() {
  std::vector<std::byte> content(4 * mib);
  std::fill_n(content.begin(), mib, std::byte{0xa0});
  std::fill_n(content.begin() + 3 * 512, 7 * 512, std::byte{0xc0});
  std::fill_n(content.begin() + mib, mib, std::byte{0xa1});
  std::fill_n(content.begin() + 2 * mib, mib, std::byte{0xc2});
  return content;
}

class Family {
 public:
  explicit Family(const VhdxImage& child, Access access = Access::read_only)
      : file(make_memory_disk(child.bytes)), context({}, access) {
    context.disks["base.vhdx"] = make_memory_disk(base_image().bytes);
  }

  DiskPtr open() { return vhdx_driver.open(file, context); }
  int error_of_opening() {
    try {
      open();
    } catch (const Error& error) {
      message = error.what();
      return error.code();
    }
    return 0;
  }

  DiskPtr file;
  TestContext context;
  std::string message;
};

}  // namespace

TEST_CASE("vhdx parent: sectors come from where the bitmap says, blocks from where the BAT does") {
  Family family(child_image());
  const DiskPtr disk = family.open();
  CHECK(content_of(*disk) == expected_content());
  CHECK(disk->extent(0, mib).length == 3 * 512);
  CHECK(disk->extent(3 * 512, mib).length == 7 * 512);
  CHECK(disk->extent(3 * mib, mib).kind == Extent::Kind::zero);
}

TEST_CASE("vhdx parent: a bit of the bitmap is found at each place of a byte and of the window") {
  // A run begins and ends at odd places, far behind the first look at the bitmap.
  for (const auto& [begin, end] : {std::pair{0, 1}, {7, 9}, {8, 16}, {1, 2048}, {2047, 2048}}) {
    CAPTURE(begin);
    VhdxImage child(child_of(parent_at(u"base.vhdx")));
    const std::uint64_t place = child.add_block(1, std::byte{0xc1});
    child.set_entry(1, place, 7);
    child.set_bitmap(2048 + std::uint64_t(begin), 2048 + std::uint64_t(end));
    std::vector<std::byte> expected(4 * mib);
    std::fill_n(expected.begin(), mib, std::byte{0xa0});
    std::fill_n(expected.begin() + mib, mib, std::byte{0xa1});
    std::fill_n(expected.begin() + mib + begin * 512, (end - begin) * 512, std::byte{0xc1});
    Family family(child);
    CHECK(content_of(*family.open()) == expected);
  }
}

TEST_CASE(
    "vhdx parent: sectors of 4096 bytes have a bit each, and the parent must have them, too") {
  VhdxImage::Options options = child_of(parent_at(u"base.vhdx"));
  options.sector_size = 4096;
  VhdxImage child(options);
  const std::uint64_t place = child.add_block(0, std::byte{0xc0});
  child.set_entry(0, place, 7);
  child.set_bitmap(1, 2);
  Family family(child);
  CHECK(family.error_of_opening() == EUCLEAN);
  CHECK(family.message == "vhdx: the parent \"base.vhdx\" has sectors of 512 bytes, not 4096");
  VhdxImage base({.sector_size = 4096});
  base.add_block(0, std::byte{0xa0});
  family.context.disks["base.vhdx"] = make_memory_disk(base.bytes);
  std::vector<std::byte> expected(4 * mib);
  std::fill_n(expected.begin(), mib, std::byte{0xa0});
  std::fill_n(expected.begin() + 4096, 4096, std::byte{0xc0});
  CHECK(content_of(*family.open()) == expected);
}

TEST_CASE("vhdx parent: a parent that is shorter reads as zeros behind its end") {
  VhdxImage::Options options = child_of(parent_at(u"base.vhdx"));
  options.disk_size = 6 * mib;
  Family family{VhdxImage(options)};
  const std::vector<std::byte> content = content_of(*family.open());
  CHECK(content.size() == 6 * mib);
  CHECK(content[mib] == std::byte{0xa1});
  CHECK(all_zero(ConstBytes(content).subspan(2 * mib)));
}

TEST_CASE("vhdx parent: a parent has a parent") {
  Family family(child_image(parent_at(u"middle.avhdx")));
  family.context.disks["middle.avhdx"] = make_memory_disk(child_image().bytes);
  CHECK(content_of(*family.open()) == expected_content());
}

TEST_CASE("vhdx parent: only the name counts of a path that is absolute or leads upwards") {
  for (const char16_t* path :
       {u"C:\\vm\\base.vhdx", u"\\\\?\\C:\\vm\\base.vhdx", u"\\\\server\\share\\base.vhdx",
        u"..\\base.vhdx", u"..\\..\\x\\base.vhdx", u"base.vhdx", u".\\base.vhdx"}) {
    for (const char16_t* key : {u"relative_path", u"absolute_win32_path", u"volume_path"}) {
      Family family(child_image({{key, path}, {u"parent_linkage", linkage}}));
      CHECK_NOTHROW(family.open());
    }
  }
}

TEST_CASE("vhdx parent: a relative path downwards is opened as it is, and goes before the others") {
  Family family(child_image({{u"absolute_win32_path", u"C:\\wrong.vhdx"},
                             {u"relative_path", u".\\sub\\base.vhdx"},
                             {u"parent_linkage", linkage}}));
  family.context.disks["wrong.vhdx"] = make_memory_disk(VhdxImage().bytes);
  family.context.disks["sub/base.vhdx"] = family.context.disks["base.vhdx"];
  CHECK(content_of(*family.open()) == expected_content());
}

TEST_CASE("vhdx parent: a path upwards is left to the gate when no such file is beside the image") {
  const TemporaryDirectory directory;
  const VhdxImage child = child_image(parent_at(u"..\\base.vhdx"));
  must_run("mkdir " + directory / "sub");
  write_file(directory / "base.vhdx", base_image().bytes);
  write_file(directory / "sub/child.vhdx", child.bytes);
  CHECK(content_of(*open_format(vhdx_driver, directory / "sub/child.vhdx")) == expected_content());
}

TEST_CASE("vhdx parent: the second linkage counts as the first one does") {
  Family family(child_image({{u"parent_linkage", u"{00000000-0000-0000-0000-000000000001}"},
                             {u"parent_linkage2", linkage},
                             {u"relative_path", u"base.vhdx"}}));
  CHECK(content_of(*family.open()) == expected_content());
}

TEST_CASE("vhdx parent: a parent that was changed since, or is another one, is refused") {
  Family family(child_image());
  VhdxImage changed = base_image();
  changed.change_headers([](vhdx::Header& header) { header.data_write_guid.rest[7] = 1; });
  family.context.disks["base.vhdx"] = make_memory_disk(changed.bytes);
  CHECK(family.error_of_opening() == EUCLEAN);
  CHECK(family.message ==
        "vhdx: the parent \"base.vhdx\" has the data write GUID "
        "83ed00ec-1234-4567-8001-020304050601, not \"83ed00ec-1234-4567-8001-020304050607\": it "
        "was changed, or it is another one");
}

TEST_CASE("vhdx parent: what a locator lacks, and a type that is not known, are refused") {
  CHECK(Family(child_image({{u"relative_path", u"base.vhdx"}})).error_of_opening() == EUCLEAN);
  CHECK(Family(child_image({{u"parent_linkage", linkage}})).error_of_opening() == EUCLEAN);
  VhdxImage other = child_image();
  auto header = other.get<vhdx::ParentLocatorHeader>(vhdx_items_at + 64);
  header.type.rest[0] ^= 1;
  other.put(vhdx_items_at + 64, header);
  CHECK(Family(other).error_of_opening() == EOPNOTSUPP);
  VhdxImage without = child_image();
  without.change_item(5, [](vhdx::MetadataTableEntry& entry) { entry.guid.rest[0] ^= 1; });
  Family family(without);
  CHECK(family.error_of_opening() == EOPNOTSUPP);
  CHECK(family.message ==
        "vhdx: the required metadata item a8d35f2d-b30b-454d-aaf7-d3d84834ab0c is not known");
}

TEST_CASE("vhdx parent: texts of the locator that leave it are refused") {
  const std::uint64_t entry = vhdx_items_at + 64 + 20;
  for (const vhdx::ParentLocatorEntry& broken : {vhdx::ParentLocatorEntry{4096, 44, 2, 2},
                                                 {44, 4095, 2, 2},
                                                 {44, 44, 0, 2},
                                                 {44, 44, 3, 2},
                                                 {0xffffffff, 44, 2, 2},
                                                 {44, 44, 2, 0xfffe}}) {
    VhdxImage child = child_image();
    child.put(entry, broken);
    CHECK(Family(child).error_of_opening() == EUCLEAN);
  }
  VhdxImage child = child_image();
  child.put(vhdx_items_at + 64 + 18, le16(0xffff));
  CHECK(Family(child).error_of_opening() == EUCLEAN);
}

TEST_CASE("vhdx parent: a block that is present in part without its bitmap is corrupt") {
  VhdxImage child = child_image();
  child.set_entry(chunk_ratio, 0, 0);
  Family family(child);
  const DiskPtr disk = family.open();
  std::vector<std::byte> sector(512);
  CHECK_THROWS_WITH_AS(disk->read(0, sector),
                       "vhdx: block 0 is present in part, and has no sector bitmap", Error);
  CHECK_NOTHROW(disk->read(2 * mib, sector));
}

TEST_CASE("vhdx parent: info names the parent as the image does") {
  const ImageInfo info = vhdx_driver.info(*make_memory_disk(child_image().bytes));
  CHECK(info.backing_file == "base.vhdx");
  CHECK(info.backing_format == "vhdx");
  CHECK(info.facts[0].second == "differencing");
}

TEST_CASE("vhdx parent: what is written lies over the parent, which stays as it is") {
  Family family(child_image(), Access::read_write);
  std::vector<std::byte> model = expected_content();
  const std::vector<std::byte> before = content_of(*family.context.disks["base.vhdx"]);
  {
    const DiskPtr disk = family.open();
    const std::vector<std::byte> data(5000, std::byte{0xee});
    for (const std::uint64_t offset : {std::uint64_t{1000}, mib - 2000, 2 * mib + 7}) {
      disk->write(offset, data);
      std::ranges::copy(data, model.begin() + std::ptrdiff_t(offset));
    }
    disk->write_zeros(3 * mib - 300, 700);
    std::fill_n(model.begin() + 3 * mib - 300, 700, std::byte{0});
    CHECK(content_of(*disk) == model);
  }
  family.context = TestContext();
  family.context.disks["base.vhdx"] = make_memory_disk(before);
  CHECK(content_of(*family.open()) == model);
  TestContext context;
  const CheckReport report = vhdx_driver.check(family.file, context, Repair::nothing);
  CHECK(report.findings == std::vector<std::string>{});
}

TEST_CASE("vhdx parent: zeros over a whole block of the parent's take no space") {
  Family family(child_image(), Access::read_write);
  const std::uint64_t size = family.file->size();
  {
    const DiskPtr disk = family.open();
    disk->write_zeros(mib, mib);
    CHECK(disk->extent(mib, mib).kind == Extent::Kind::zero);
  }
  CHECK(family.file->size() == size);
  CHECK(read_object<le64>(*family.file, vhdx_bat_at + 8) == 2);
}

TEST_CASE("vhdx parent: a block that is present in part is filled up where it is") {
  Family family(child_image(), Access::read_write);
  const std::uint64_t size = family.file->size();
  family.open()->write(100 * 512, std::vector<std::byte>(512, std::byte{0xee}));
  CHECK(family.file->size() == size);
  CHECK(read_object<le64>(*family.file, vhdx_bat_at) == (4 * mib | 6));
  std::vector<std::byte> sector(512);
  family.file->read(4 * mib + 2 * 512, sector);
  CHECK(sector == std::vector<std::byte>(512, std::byte{0xa0}));
}

}  // namespace vimg::test
