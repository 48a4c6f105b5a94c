#include "fsdrivers/ext4_map.h"

#include <string>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "tests/fsdrivers/ext4_sample.h"

namespace vimg {
namespace {

using ext4::ExtentEntry;
using ext4::ExtentHeader;
using ext4::ExtentIndex;
using test::error_of;
using test::Ext4Sample;

// A file of 12 blocks of 1 KiB, of which every other one is a hole, so its extents fill a leaf.
Ext4Sample fragmented(const std::string& type) {
  return {type + " -b 1024 -O ^metadata_csum", "4M",
          "for i in 0 2 4 6 8 10; do printf data | dd of=file bs=1k seek=$i conv=notrunc "
          "2>/dev/null; done"};
}

std::string read_error(const Ext4Sample& image) {
  const auto filesystem = image.open();
  const auto file = filesystem->lookup(filesystem->root(), "file");
  std::vector<std::byte> content(12 << 10);
  return error_of([&] { filesystem->read(file.value(), 0, content); });
}

// The same with one entry of the extent tree's root changed.
template <typename T, typename Change>
std::string error_with_root(Ext4Sample image, std::size_t offset, Change&& change) {
  const std::uint32_t number = image.inode_number("/file");
  const std::uint64_t place =
      image.inode_offset(number) + offsetof(ext4::RawInode, block_map) + offset;
  T value = image.get<T>(place);
  change(value);
  image.put(place, value);
  return read_error(image);
}

// The leaf of the file's extents.
std::uint64_t leaf_offset(const Ext4Sample& image) {
  const ext4::RawInode inode = image.inode(image.inode_number("/file"));
  const auto index = load<ExtentIndex>(inode.block_map, sizeof(ExtentHeader));
  return std::uint64_t{index.child_low} * image.block_size();
}

template <typename Change>
std::string error_with_extent(Ext4Sample image, std::size_t number, Change&& change) {
  const std::uint64_t place =
      leaf_offset(image) + sizeof(ExtentHeader) + number * sizeof(ExtentEntry);
  auto extent = image.get<ExtentEntry>(place);
  change(extent);
  image.put(place, extent);
  return read_error(image);
}

TEST_CASE("ext4 map: extents and holes are found from the start and from the middle of a run") {
  const ext4::MapWindow window{
      0, 100, {{10, 500, 5, ext4::Run::Kind::written}, {15, 900, 2, ext4::Run::Kind::unwritten}}};
  CHECK(window.at(0).kind == ext4::Run::Kind::hole);
  CHECK(window.at(0).count == 10);
  CHECK(window.at(10).physical == 500);
  CHECK(window.at(14).physical == 504);
  CHECK(window.at(14).count == 1);
  CHECK(window.at(15).kind == ext4::Run::Kind::unwritten);
  CHECK(window.at(17).count == 83);
  CHECK(window.at(99).count == 1);
}

TEST_CASE("ext4 map: the least recently used windows are forgotten, others are found") {
  ext4::MapCache cache;
  const auto window = std::make_shared<const ext4::MapWindow>(ext4::MapWindow{
      0, 10, std::vector<ext4::Run>(60000, ext4::Run{0, 1, 1, ext4::Run::Kind::written})});
  cache.insert(1, window);
  cache.insert(2, window);
  CHECK(cache.find(1, 9) == window);
  CHECK(cache.find(1, 10) == nullptr);
  cache.insert(3, window);
  CHECK(cache.find(2, 0) == nullptr);
  CHECK(cache.find(1, 0) == window);
  cache.invalidate(1);
  CHECK(cache.find(1, 0) == nullptr);
  CHECK(cache.find(3, 0) == window);
}

TEST_CASE("ext4 map: a tree that is as mke2fs made it is read") {
  CHECK(read_error(fragmented("-t ext4")).empty());
  CHECK(read_error(fragmented("-t ext2")).empty());
}

TEST_CASE("ext4 map: an extent node must have its magic and no more entries than fit") {
  const Ext4Sample image = fragmented("-t ext4");
  CHECK(error_with_root<ExtentHeader>(image, 0, [](ExtentHeader& h) {
          h.magic = 1;
        }).ends_with("magic is 0x0001, expected 0xf30a"));
  CHECK(error_with_root<ExtentHeader>(image, 0, [](ExtentHeader& h) {
          h.max_entries = 5;
        }).ends_with("entries of 5, where 4 fit"));
  CHECK(error_with_root<ExtentHeader>(image, 0, [](ExtentHeader& h) {
          h.entry_count = 5;
        }).find("5 entries of 4") != std::string::npos);
}

TEST_CASE("ext4 map: the depth is at most 5 and falls by one, so loops end") {
  const Ext4Sample image = fragmented("-t ext4");
  CHECK(error_with_root<ExtentHeader>(image, 0, [](ExtentHeader& h) {
          h.depth = 6;
        }).ends_with("depth is 6, expected 5 or less"));
  CHECK(error_with_root<ExtentHeader>(image, 0, [](ExtentHeader& h) {
          h.depth = 2;
        }).ends_with("depth is 0, expected 1"));
}

TEST_CASE("ext4 map: an index that leads out of the file system is damage") {
  const Ext4Sample image = fragmented("-t ext4");
  CHECK(error_with_root<ExtentIndex>(image, sizeof(ExtentHeader), [](ExtentIndex& index) {
          index.child_low = 4096;
        }).find("extent node at block 0x1000 (+0x1) lies outside") != std::string::npos);
  CHECK(error_with_root<ExtentIndex>(image, sizeof(ExtentHeader), [](ExtentIndex& index) {
          index.child_high = 0xffff;
        }).find("lies outside") != std::string::npos);
}

TEST_CASE("ext4 map: extents must ascend, must not overlap, and must lie in the file system") {
  const Ext4Sample image = fragmented("-t ext4");
  CHECK(error_with_extent(image, 1, [](ExtentEntry& e) {
          e.first = 0;
        }).ends_with("extent 1 covers block 0x0 (+0x1), expected 0x1 or more"));
  CHECK(error_with_extent(image, 0, [](ExtentEntry& e) {
          e.length = 3;
        }).ends_with("extent 1 covers block 0x2 (+0x1), expected 0x3 or more"));
  CHECK(error_with_extent(image, 0, [](ExtentEntry& e) {
          e.length = 0;
        }).find("covers block 0x0 (+0x0)") != std::string::npos);
  CHECK(error_with_extent(image, 5, [](ExtentEntry& e) { e.start_low = 4095; }).empty());
  CHECK(error_with_extent(image, 5, [](ExtentEntry& e) {
          e.start_low = 4096;
        }).find("at block 0x1000 (+0x1) lies outside") != std::string::npos);
  CHECK(error_with_extent(image, 5, [](ExtentEntry& e) {
          e.start_low = 0;
        }).find("at block 0x0 (+0x1) lies outside") != std::string::npos);
}

TEST_CASE("ext4 map: a pointer that leads out of the file system is damage") {
  CHECK(error_with_root<le32>(fragmented("-t ext2"), 0, [](le32& pointer) {
          pointer = 4096;
        }).find("data at block 0x1000 (+0x1) lies outside") != std::string::npos);
}

TEST_CASE("ext4 map: a wrong checksum of a node is named") {
  Ext4Sample image("-t ext4 -b 1024", "4M",
                   "for i in 0 2 4 6 8 10; do printf data | dd of=file bs=1k seek=$i conv=notrunc "
                   "2>/dev/null; done");
  const std::uint64_t place = leaf_offset(image) + sizeof(ExtentHeader);
  image.put(place, le32(1));
  CHECK(read_error(image).find("checksum is 0x") != std::string::npos);
}

TEST_CASE("ext4 map: a size of 2^63 is refused, one just below reads zeros") {
  Ext4Sample image = fragmented("-t ext4");
  const std::uint32_t number = image.inode_number("/file");
  ext4::RawInode inode = image.inode(number);
  inode.size_high = 0x80000000;
  image.set_inode(number, inode);
  CHECK(read_error(image).find("size cannot be 0x8000000000002804") != std::string::npos);
  inode.size_high = 0x7fffffff;
  image.set_inode(number, inode);
  const auto filesystem = image.open();
  std::vector<std::byte> end(4096, std::byte{1});
  CHECK(filesystem->read(number, 0x7fffffff00000000, end) == 4096);
  CHECK(all_zero(end));
  CHECK_FALSE(filesystem->seek(number, 0x7fffffff00000000, SeekTarget::data));
}

}  // namespace
}  // namespace vimg
