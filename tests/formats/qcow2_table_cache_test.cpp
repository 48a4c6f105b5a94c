#include "formats/qcow2_table_cache.h"

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"

namespace vimg::qcow2 {
namespace {

constexpr std::uint64_t slice_size = 512;
constexpr std::uint64_t capacity = 16;  // slices, the least there are

std::vector<std::byte> slice_of(int value) {
  return std::vector<std::byte>(slice_size, std::byte(value));
}

void insert_many(TableCache& cache, std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t i = first; i < first + count; ++i) {
    cache.insert(i * slice_size, slice_of(int(i)));
  }
}

}  // namespace

TEST_CASE("qcow2 table cache: what was inserted first stays, a second one is ignored") {
  TableCache cache(slice_size, 0);
  CHECK(cache.find(512).empty());
  cache.insert(512, slice_of(1));
  cache.insert(512, slice_of(2));
  CHECK(cache.find(512)[0] == std::byte{1});
}

TEST_CASE("qcow2 table cache: a full one drops slices nobody uses before one in use") {
  TableCache cache(slice_size, 0);
  insert_many(cache, 0, capacity);
  for (std::uint64_t i = capacity; i < 10 * capacity; ++i) {
    CHECK_FALSE(cache.find(0).empty());
    insert_many(cache, i, 1);
  }
  std::uint64_t held = 0;
  for (std::uint64_t i = 0; i < 10 * capacity; ++i) {
    held += cache.find(i * slice_size).empty() ? 0 : 1;
  }
  CHECK(held == capacity);
}

TEST_CASE("qcow2 table cache: changed slices are held beyond the capacity until written") {
  TableCache cache(slice_size, 0);
  for (std::uint64_t i = 0; i < 3 * capacity; ++i) {
    insert_many(cache, i, 1);
    cache.change(i * slice_size)[0] = std::byte{0xff};
  }
  CHECK(cache.changed_bytes() == 3 * capacity * slice_size);
  const auto changed = cache.changed();
  REQUIRE(changed.size() == 3 * capacity);
  for (std::size_t i = 0; i < changed.size(); ++i) {
    CHECK(changed[i].offset == i * slice_size);
    CHECK(changed[i].content[0] == std::byte{0xff});
  }
  cache.mark_written(changed);
  CHECK(cache.changed_bytes() == 0);
  CHECK(cache.changed().empty());
}

TEST_CASE("qcow2 table cache: what is forgotten is not written") {
  TableCache cache(slice_size, 0);
  insert_many(cache, 0, 4);
  cache.change(512)[0] = std::byte{0xff};
  cache.forget(512, 1024);
  CHECK(cache.find(512).empty());
  CHECK(cache.find(1024).empty());
  CHECK_FALSE(cache.find(1536).empty());
  CHECK(cache.changed_bytes() == 0);
}

TEST_CASE("qcow2 table cache: a table cut off by the file's end reads on as zeros") {
  const DiskPtr file = make_memory_disk(std::vector<std::byte>(1000, std::byte{7}));
  const auto slice = read_slice(*file, 512, 512, slice_size, "table");
  CHECK(slice[487] == std::byte{7});
  CHECK(slice[488] == std::byte{0});
  CHECK(all_zero(read_slice(*file, 512, 1024, slice_size, "table")));
  CHECK_THROWS_WITH_AS(read_slice(*file, 1000, 1000, slice_size, "table"),
                       "qcow2: table at 0x3e8 lies beyond the file end 0x3e8", Error);
}

}  // namespace vimg::qcow2
