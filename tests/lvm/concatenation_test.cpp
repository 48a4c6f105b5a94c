#include <cerrno>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "lvm/concatenation.h"
#include "tests/support/fault_disk.h"

using namespace vimg;
using namespace vimg::test;

namespace {

DiskPtr filled(std::size_t size, int value) {
  return make_memory_disk(std::vector<std::byte>(size, std::byte(value)));
}

// Parts of 3, 1 and 5 bytes of 1s, 2s and 3s.
DiskPtr three_parts() { return make_concatenation({filled(3, 1), filled(1, 2), filled(5, 3)}, {}); }

std::string read_text(const Disk& disk, std::uint64_t offset, std::size_t length) {
  std::vector<std::byte> out(length);
  disk.read(offset, out);
  std::string text;
  for (const std::byte byte : out) {
    text += std::to_string(std::to_integer<int>(byte));
  }
  return text;
}

}  // namespace

TEST_CASE("concatenation: every range reads as the parts laid behind each other") {
  const DiskPtr disk = three_parts();
  const std::string all = "111233333";
  REQUIRE(disk->size() == all.size());
  for (std::size_t offset = 0; offset <= all.size(); ++offset) {
    for (std::size_t length = 0; offset + length <= all.size(); ++length) {
      CHECK(read_text(*disk, offset, length) == all.substr(offset, length));
    }
  }
  CHECK_THROWS_AS(read_text(*disk, 9, 1), Error);
}

TEST_CASE("concatenation: a write goes to every part that it touches") {
  const DiskPtr disk = three_parts();
  disk->write(2, std::vector<std::byte>(4, std::byte{7}));
  CHECK(read_text(*disk, 0, 9) == "117777333");
  disk->write_zeros(3, 2);
  CHECK(read_text(*disk, 0, 9) == "117007333");
}

TEST_CASE("concatenation: an extent ends with its part") {
  const DiskPtr disk = three_parts();
  CHECK(disk->extent(1, 100).length == 2);
  CHECK(disk->extent(3, 100).length == 1);
  CHECK(disk->extent(4, 2).length == 2);
}

TEST_CASE("concatenation: a flush reaches each root once") {
  const auto root = std::make_shared<FaultDisk>(filled(8, 0));
  make_concatenation({filled(1, 0), filled(1, 0), filled(1, 0)}, {root})->flush();
  CHECK(root->flushes == 1);
}

TEST_CASE("concatenation: an error of a part is the error of the disk") {
  const auto part = std::make_shared<FaultDisk>(filled(4, 0));
  const DiskPtr disk = make_concatenation({filled(4, 0), part}, {});
  part->fail_read = 0;
  CHECK(read_text(*disk, 0, 4) == "0000");
  CHECK_THROWS_AS(read_text(*disk, 0, 5), Error);
}
