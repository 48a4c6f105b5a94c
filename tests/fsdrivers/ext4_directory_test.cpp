#include "fsdrivers/ext4_directory.h"

#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "tests/fsdrivers/ext4_sample.h"

namespace vimg {
namespace {

using ext4::DirectoryRecord;
using test::error_of;
using test::Ext4Sample;

constexpr char plain[] = "-t ext4 -b 1024 -O ^metadata_csum";

// A directory with the entries "first" and "second", and where their records lie.
struct Small {
  Ext4Sample image;
  std::uint32_t number;
  std::uint64_t first;
  std::uint64_t second;
};

Small small_directory() {
  Ext4Sample image(plain, "4M", "mkdir dir && touch dir/first dir/second");
  const std::uint32_t number = image.inode_number("/dir");
  const std::uint64_t block = image.block_of(number, 0) * image.block_size();
  return {image, number, block + 24, block + 24 + 16};
}

std::vector<std::string> names_in(const FileSystem& filesystem, InodeNumber directory) {
  std::vector<std::string> names;
  filesystem.list(directory, 0, [&](const DirectoryEntry& entry) {
    names.emplace_back(entry.name);
    return true;
  });
  return names;
}

template <typename Change>
std::string error_with_record(Change&& change) {
  Small small = small_directory();
  auto record = small.image.get<DirectoryRecord>(small.first);
  change(record);
  small.image.put(small.first, record);
  const auto filesystem = small.image.open();
  return error_of([&] { names_in(*filesystem, small.number); });
}

TEST_CASE("ext4 directory: records are listed with \".\" and \"..\" first") {
  const Small small = small_directory();
  const auto names = names_in(*small.image.open(), small.number);
  REQUIRE(names.size() == 4);
  CHECK(names[0] == ".");
  CHECK(names[1] == "..");
  CHECK(std::set<std::string>(names.begin(), names.end()).contains("second"));
}

TEST_CASE("ext4 directory: a record must be 12 bytes or more, aligned, and hold its name") {
  CHECK(error_with_record([](DirectoryRecord& r) {
          r.length = 0;
        }).find("a record of 0 bytes with a name of 5") != std::string::npos);
  CHECK(error_with_record([](DirectoryRecord& r) { r.length = 8; }).find("a record of 8 bytes") !=
        std::string::npos);
  CHECK(error_with_record([](DirectoryRecord& r) { r.length = 14; }).find("a record of 14 bytes") !=
        std::string::npos);
  CHECK(error_with_record([](DirectoryRecord& r) { r.name_length = 9; }).find("with a name of 9") !=
        std::string::npos);
  CHECK(error_with_record([](DirectoryRecord& r) { r.name_length = 8; }).empty());
  CHECK(error_with_record([](DirectoryRecord& r) {
          r.length = 1004;
        }).find("1000 bytes before the end") != std::string::npos);
}

TEST_CASE("ext4 directory: a record may reach to the end of the block") {
  CHECK(error_with_record([](DirectoryRecord& r) { r.length = 1000; }).empty());
}

TEST_CASE("ext4 directory: an inode number that there is none of is damage") {
  CHECK(error_with_record([](DirectoryRecord& r) {
          r.inode = 0xffffffff;
        }).find("inode 4294967295 is not one of") != std::string::npos);
}

TEST_CASE("ext4 directory: names that no path can have are not shown") {
  for (const char bad : {'/', '\0'}) {
    Small small = small_directory();
    small.image.put(small.first + sizeof(DirectoryRecord) + 2, std::uint8_t(bad));
    CHECK(names_in(*small.image.open(), small.number).size() == 3);
  }
  Small small = small_directory();
  auto record = small.image.get<DirectoryRecord>(small.first);
  record.name_length = 0;
  small.image.put(small.first, record);
  CHECK(names_in(*small.image.open(), small.number).size() == 3);
}

TEST_CASE("ext4 directory: a hole is damage, and ends a directory that claims to be huge") {
  Small small = small_directory();
  ext4::RawInode inode = small.image.inode(small.number);
  inode.size_low = 0xfffffc00;
  inode.flags = inode.flags | ext4::inode_indexed;
  small.image.set_inode(small.number, inode);
  const auto filesystem = small.image.open();
  CHECK(error_of([&] { filesystem->lookup(small.number, "none"); }).find("a hole") !=
        std::string::npos);
}

TEST_CASE("ext4 directory: reserved inodes and values of attributes are no files") {
  const Small small = small_directory();
  const auto filesystem = small.image.open();
  for (const InodeNumber number : {0, 1, 7, 8, 10}) {
    CHECK(error_of([&] { filesystem->attributes(number); }).starts_with("116 "));
  }
  CHECK(error_of([&] { filesystem->attributes(1ULL << 40); }).starts_with("116 "));
  CHECK(error_of([&] { filesystem->attributes(1000); }).ends_with("is not in use"));
}

TEST_CASE("ext4 directory: the wrong kind of inode is told by the errno") {
  Ext4Sample image(plain, "4M", "touch file && mkdir dir && ln -s dir link");
  const auto filesystem = image.open();
  const InodeNumber file = filesystem->lookup(filesystem->root(), "file").value();
  const InodeNumber dir = filesystem->lookup(filesystem->root(), "dir").value();
  std::vector<std::byte> content(10);
  CHECK(error_of([&] { names_in(*filesystem, file); }).starts_with("20 "));
  CHECK(error_of([&] { filesystem->lookup(file, "x"); }).starts_with("20 "));
  CHECK(error_of([&] { filesystem->read(dir, 0, content); }).starts_with("21 "));
  CHECK(error_of([&] { filesystem->symlink_target(file); }).starts_with("22 "));
}

TEST_CASE("ext4 directory: a wrong checksum of a block is named") {
  Ext4Sample image("-t ext4 -b 1024", "4M", "mkdir dir && touch dir/first");
  const std::uint32_t number = image.inode_number("/dir");
  const std::uint64_t block = image.block_of(number, 0) * image.block_size();
  image.put(block + 24 + sizeof(DirectoryRecord), std::uint8_t('F'));
  const auto filesystem = image.open();
  CHECK(error_of([&] { names_in(*filesystem, number); }).find("checksum is 0x") !=
        std::string::npos);
}

TEST_CASE("ext4 directory: inline directories have their parent, and their entries") {
  Ext4Sample image("-t ext4 -b 1024 -O ^metadata_csum,inline_data", "4M",
                   "mkdir -p dir/sub && touch dir/a dir/bb dir/ccc");
  const auto filesystem = image.open();
  const InodeNumber dir = filesystem->lookup(filesystem->root(), "dir").value();
  CHECK((image.inode(std::uint32_t(dir)).flags & ext4::inode_inline_data) != 0);
  CHECK(names_in(*filesystem, dir).size() == 6);
  CHECK(filesystem->lookup(dir, "..") == filesystem->root());
  CHECK(filesystem->lookup(dir, ".") == dir);
  CHECK(filesystem->lookup(dir, "ccc"));
  CHECK_FALSE(filesystem->lookup(dir, "dddd"));
}

}  // namespace
}  // namespace vimg
