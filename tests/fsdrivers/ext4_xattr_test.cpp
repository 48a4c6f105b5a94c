#include "fsdrivers/ext4_xattr.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "fsdrivers/posix_acl.h"
#include "tests/fsdrivers/ext4_sample.h"

namespace vimg {
namespace {

using ext4::XattrEntry;
using test::error_of;
using test::Ext4Sample;

constexpr char plain[] = "-t ext4 -b 1024 -O ^metadata_csum";

std::string value_of(const FileSystem& filesystem, InodeNumber inode, const std::string& name) {
  const auto value = filesystem.xattr(inode, name);
  return value ? std::string(text_of(*value)) : "none";
}

// A file with an attribute in the inode, whose first entry lies at `entry`.
struct Attributed {
  Ext4Sample image;
  std::uint32_t number;
  std::uint64_t entry;
};

Attributed attributed() {
  Ext4Sample image(plain, "4M", "echo text > file");
  image.debugfs("ea_set /file user.name value");
  const std::uint32_t number = image.inode_number("/file");
  return {image, number, image.inode_offset(number) + 128 + 32 + 4};
}

template <typename Change>
std::string error_with_entry(Change&& change) {
  Attributed made = attributed();
  auto entry = made.image.get<XattrEntry>(made.entry);
  change(entry);
  made.image.put(made.entry, entry);
  const auto filesystem = made.image.open();
  return error_of([&] { filesystem->xattr_names(made.number); });
}

TEST_CASE("ext4 xattr: attributes in the inode and in a block are named and read") {
  Attributed made = attributed();
  const std::string large(300, 'v');
  made.image.debugfs("ea_set /file user.large " + large);
  const auto filesystem = made.image.open();
  CHECK((made.image.inode(made.number).xattr_block_low != 0));
  CHECK(filesystem->xattr_names(made.number) ==
        std::vector<std::string>{"user.name", "user.large"});
  CHECK(value_of(*filesystem, made.number, "user.name") == "value");
  CHECK(value_of(*filesystem, made.number, "user.large") == large);
  CHECK(value_of(*filesystem, made.number, "user.nam") == "none");
  CHECK(value_of(*filesystem, made.number, "trusted.name") == "none");
}

TEST_CASE("ext4 xattr: a value in an inode of its own is read, and must have its checksum") {
  Ext4Sample image("-t ext4 -b 1024 -O ^metadata_csum,ea_inode", "4M", "touch file");
  const std::string large(4000, 'v');
  image.debugfs("ea_set /file user.large " + large);
  const std::uint32_t number = image.inode_number("/file");
  CHECK(value_of(*image.open(), number, "user.large") == large);
  for (std::uint32_t other = 12; other < 20; ++other) {
    auto holder = image.inode(other);
    if ((holder.flags & ext4::inode_ea_value) != 0) {
      holder.atime = holder.atime + 1;
      image.set_inode(other, holder);
    }
  }
  const auto filesystem = image.open();
  CHECK(error_of([&] { filesystem->xattr(number, "user.large"); }).find("checksum is 0x") !=
        std::string::npos);
}

TEST_CASE("ext4 xattr: a value may end where the inode ends, not beyond") {
  CHECK(error_with_entry([](XattrEntry& e) { e.value_offset = 256 - 164 - 5; }).empty());
  CHECK(error_with_entry([](XattrEntry& e) {
          e.value_offset = 256 - 164 - 4;
        }).find("value at 0x58 (+0x5) lies beyond the end 0x5c") != std::string::npos);
  CHECK(error_with_entry([](XattrEntry& e) {
          e.value_size = 0xffffffff;
        }).find("lies beyond the end") != std::string::npos);
}

TEST_CASE("ext4 xattr: a name that leaves the inode is damage") {
  CHECK(error_with_entry([](XattrEntry& e) {
          e.name_length = 255;
        }).find("name at 0x0 lies beyond the end") != std::string::npos);
}

TEST_CASE("ext4 xattr: a value in an inode that holds none is damage") {
  Attributed made = attributed();
  auto entry = made.image.get<XattrEntry>(made.entry);
  entry.value_inode = made.number;
  made.image.put(made.entry, entry);
  const auto filesystem = made.image.open();
  CHECK(error_of([&] {
          filesystem->xattr(made.number, "user.name");
        }).find("does not hold a value of 0x5 bytes") != std::string::npos);
  entry.value_inode = 0xffffffff;
  made.image.put(made.entry, entry);
  CHECK_FALSE(error_of([&] { made.image.open()->xattr(made.number, "user.name"); }).empty());
}

TEST_CASE("ext4 xattr: a block without the magic is damage") {
  Attributed made = attributed();
  auto inode = made.image.inode(made.number);
  inode.xattr_block_low = 3;
  made.image.set_inode(made.number, inode);
  const auto filesystem = made.image.open();
  CHECK(error_of([&] { filesystem->xattr_names(made.number); }).find("block 0x3 has magic") !=
        std::string::npos);
}

TEST_CASE("ext4 xattr: what the kernel hides is hidden") {
  for (const std::uint8_t index : {std::uint8_t{7}, std::uint8_t{9}, std::uint8_t{11}}) {
    Attributed made = attributed();
    auto entry = made.image.get<XattrEntry>(made.entry);
    entry.name_index = index;
    made.image.put(made.entry, entry);
    CHECK(made.image.open()->xattr_names(made.number).empty());
  }
}

std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> made;
  std::transform(values.begin(), values.end(), std::back_inserter(made),
                 [](int value) { return std::byte(value); });
  return made;
}

// user::rwx, user:1000:r--, group::r-x, mask::r-x, other::---
const auto stored_acl = bytes(
    {1, 0, 0, 0, 1, 0, 7, 0, 2, 0, 4, 0, 0xe8, 3, 0, 0, 4, 0, 5, 0, 16, 0, 5, 0, 32, 0, 0, 0});
const auto kernel_acl = bytes({2, 0,    0,   0,   1,   0,   7,  0, 255, 255, 255, 255, 2,   0,  4,
                               0, 0xe8, 3,   0,   0,   4,   0,  5, 0,   255, 255, 255, 255, 16, 0,
                               5, 0,    255, 255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255});

TEST_CASE("posix acl: ids are undefined in the kernel's layout where ext4 stores none") {
  CHECK(acl_from_disk(stored_acl) == kernel_acl);
  CHECK(acl_to_disk(kernel_acl) == stored_acl);
}

TEST_CASE("posix acl: another version, or an end inside of an entry, is refused") {
  auto wrong = stored_acl;
  wrong[0] = std::byte{2};
  CHECK(error_of([&] { acl_from_disk(wrong); }).starts_with("117 "));
  const ConstBytes all = stored_acl;
  CHECK(error_of([&] { acl_from_disk(all.first(all.size() - 1)); }).starts_with("117 "));
  CHECK(error_of([&] { acl_from_disk(all.first(14)); }).ends_with("ends with 6 bytes, expected 8"));
  CHECK(error_of([&] { acl_from_disk(all.first(3)); }).starts_with("117 "));
  CHECK(error_of([&] { acl_to_disk(stored_acl); }).starts_with("22 "));
  CHECK(error_of([&] { acl_to_disk(ConstBytes(kernel_acl).first(43)); }).starts_with("22 "));
}

}  // namespace
}  // namespace vimg
