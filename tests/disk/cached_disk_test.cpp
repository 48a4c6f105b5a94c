#include "disk/cached_disk.h"

#include <vector>

#include <doctest/doctest.h>

#include "disk/memory_disk.h"

namespace vimg {

TEST_CASE("cached disk: a small read is answered from memory the second time") {
  const DiskPtr below = make_memory_disk(std::vector<std::byte>(10000));
  const DiskPtr cached = make_cached_disk(below, 1U << 20);
  CHECK(read_object<le32>(*cached, 100) == 0U);
  below->write(100, std::vector<std::byte>(4, std::byte{1}));
  CHECK(read_object<le32>(*cached, 100) == 0U);
}

TEST_CASE("cached disk: what is written through it is seen at once, below and by itself") {
  const DiskPtr below = make_memory_disk(std::vector<std::byte>(10000));
  const DiskPtr cached = make_cached_disk(below, 1U << 20);
  CHECK(read_object<le32>(*cached, 4094) == 0U);
  cached->write(4094, std::vector<std::byte>(4, std::byte{1}));
  CHECK(read_object<le32>(*cached, 4094) == 0x01010101U);
  CHECK(read_object<le32>(*below, 4094) == 0x01010101U);
}

}  // namespace vimg
