#include "disk/disk.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "disk/slice.h"
#include "tests/support/fault_disk.h"

namespace vimg {
namespace {

constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();

// Bytes 0, 1, 2 … 255, 0, 1 …
std::vector<std::byte> counting(std::size_t length) {
  std::vector<std::byte> content(length);
  for (std::size_t i = 0; i < length; ++i) {
    content[i] = std::byte(i);
  }
  return content;
}

std::byte byte_at(const Disk& disk, std::uint64_t offset) {
  std::byte byte{};
  disk.read(offset, Bytes(&byte, 1));
  return byte;
}

std::pair<int, std::string> failure(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {0, ""};
}

TEST_CASE("disk: the last byte can be read, the one after it cannot") {
  const DiskPtr disk = make_memory_disk(counting(100));
  CHECK(byte_at(*disk, 99) == std::byte{99});
  const auto [code, message] = failure([&] { byte_at(*disk, 100); });
  CHECK(code == EINVAL);
  CHECK(message == "disk: range 0x64 (+0x1) lies beyond the end 0x64");
}

TEST_CASE("disk: no sum of offset and length wraps around") {
  const DiskPtr disk = make_memory_disk(counting(100));
  std::vector<std::byte> out(2);
  CHECK(failure([&] { disk->read(huge, out); }).first == EINVAL);
  CHECK(failure([&] { disk->write(huge, out); }).first == EINVAL);
  CHECK(failure([&] { disk->write_zeros(50, huge); }).first == EINVAL);
  CHECK(failure([&] { disk->discard(huge, huge); }).first == EINVAL);
  CHECK(failure([&] { disk->extent(101, 1); }).first == EINVAL);
}

TEST_CASE("disk: nothing may be asked for anywhere on the disk, its end included") {
  const auto disk = std::make_shared<test::FaultDisk>(make_memory_disk(counting(100)));
  CHECK_NOTHROW(disk->read(100, {}));
  CHECK_NOTHROW(disk->write(100, {}));
  CHECK_NOTHROW(disk->write_zeros(100, 0));
  CHECK(disk->extent(100, 5).length == 0);
  CHECK(disk->reads + disk->writes == 0);
}

TEST_CASE("disk: one that is not writable says EROFS before it looks at the range") {
  const DiskPtr disk = make_read_only(make_memory_disk(counting(100)));
  CHECK(failure([&] { disk->write(huge, bytes_of("x")); }).first == EROFS);
  CHECK(failure([&] { disk->write_zeros(huge, 1); }).first == EROFS);
  CHECK(failure([&] { disk->discard(huge, 1); }).first == EROFS);
}

TEST_CASE("disk: zeros are written where there is no cheaper way") {
  const DiskPtr disk = make_memory_disk(std::vector<std::byte>(300000, std::byte{1}));
  disk->write_zeros(10, 200000);
  CHECK(byte_at(*disk, 9) == std::byte{1});
  CHECK(byte_at(*disk, 10) == std::byte{0});
  CHECK(byte_at(*disk, 200009) == std::byte{0});
  CHECK(byte_at(*disk, 200010) == std::byte{1});
}

TEST_CASE("disk: only what is writable is flushed") {
  const auto disk = std::make_shared<test::FaultDisk>(make_memory_disk(counting(100)));
  disk->flush();
  make_read_only(disk)->flush();
  CHECK(disk->flushes == 1);
}

TEST_CASE("disk: one that cannot be resized says so") {
  const DiskPtr slice = make_slice(make_memory_disk(counting(100)), 0, 50);
  CHECK(failure([&] { slice->resize(60); }).first == EOPNOTSUPP);
}

TEST_CASE("check_table: a table may end at the disk's end and be as large as the limit") {
  const DiskPtr disk = make_memory_disk(counting(100));
  CHECK_NOTHROW(check_table(*disk, 20, 10, 8, 80, "test", "table"));
  CHECK(failure([&] { check_table(*disk, 21, 10, 8, 80, "test", "table"); }) ==
        std::pair(EUCLEAN, std::string("test: table at 0x15 (+0x50) lies beyond the end 0x64")));
  CHECK(failure([&] { check_table(*disk, 20, 10, 8, 79, "test", "table"); }) ==
        std::pair(EUCLEAN,
                  std::string("test: table of 10 entries is larger than the limit of 79 bytes")));
}

TEST_CASE("check_table: a product that wraps around is larger than any limit") {
  const DiskPtr disk = make_memory_disk(counting(100));
  CHECK(failure([&] { check_table(*disk, 0, huge / 4, 8, huge, "test", "table"); }).first ==
        EUCLEAN);
}

TEST_CASE("read_table: gives the entries as they lie on disk") {
  const DiskPtr disk = make_memory_disk(counting(100));
  const auto table = read_table<be16>(*disk, 4, 3, 100, "test", "table");
  REQUIRE(table.size() == 3);
  CHECK(table[0].value() == 0x0405);
  CHECK(table[2].value() == 0x0809);
  CHECK(read_object<le32>(*disk, 1).value() == 0x04030201);
}

TEST_CASE("slice: shows its part of the disk and nothing else") {
  const DiskPtr disk = make_memory_disk(counting(100), 512);
  const DiskPtr slice = make_slice(disk, 30, 20);
  CHECK(slice->size() == 20);
  CHECK(byte_at(*slice, 0) == std::byte{30});
  CHECK(byte_at(*slice, 19) == std::byte{49});
  CHECK(failure([&] { byte_at(*slice, 20); }).first == EINVAL);
  slice->write(19, bytes_of("x"));
  slice->write_zeros(0, 2);
  CHECK(byte_at(*disk, 49) == std::byte{'x'});
  CHECK(byte_at(*disk, 31) == std::byte{0});
  CHECK(byte_at(*disk, 32) == std::byte{32});
}

TEST_CASE("slice: may end where the disk ends, not beyond") {
  const DiskPtr disk = make_memory_disk(counting(100));
  CHECK_NOTHROW(make_slice(disk, 100, 0));
  CHECK_NOTHROW(make_slice(disk, 40, 60));
  CHECK(failure([&] { make_slice(disk, 41, 60); }).first == EINVAL);
  CHECK(failure([&] { make_slice(disk, huge, 2); }).first == EINVAL);
}

TEST_CASE("slice: has the sector size of its disk") {
  CHECK(make_slice(make_memory_disk(counting(8192), 4096), 4096, 4096)->sector_size() == 4096);
}

TEST_CASE("read-only: a disk that is not writable is itself") {
  const DiskPtr disk = make_read_only(make_memory_disk(counting(100)));
  CHECK(make_read_only(disk) == disk);
  CHECK(byte_at(*disk, 5) == std::byte{5});
}

TEST_CASE("memory disk: grows with zeros and shrinks") {
  const DiskPtr disk = make_memory_disk(counting(4));
  disk->resize(8);
  CHECK(byte_at(*disk, 3) == std::byte{3});
  CHECK(byte_at(*disk, 7) == std::byte{0});
  disk->resize(2);
  CHECK(disk->size() == 2);
}

}  // namespace
}  // namespace vimg
