#include "disk/overlay_disk.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "disk/overlay_map.h"
#include "disk/slice.h"
#include "tests/support/fault_disk.h"

namespace vimg {
namespace {

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t block = overlay_block_size;
constexpr std::uint64_t region = overlay_region_size;
constexpr std::uint64_t tebibyte = std::uint64_t{1} << 40;

using Make = std::function<DiskPtr(DiskPtr)>;
const std::vector<Make> both_kinds{
    [](DiskPtr base) { return make_memory_overlay(base, unlimited); },
    [](DiskPtr base) { return make_scratch_overlay(base); }};

std::vector<std::byte> random_bytes(std::size_t length, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> content(length);
  std::ranges::generate(content, [&] { return std::byte(random()); });
  return content;
}

DiskPtr read_only(std::vector<std::byte> content) {
  return make_read_only(make_memory_disk(std::move(content)));
}

std::vector<std::byte> read_all(const Disk& disk) {
  std::vector<std::byte> content(disk.size());
  disk.read(0, content);
  return content;
}

// As long as a disk can be; all zeros, one hole.
class EndlessDisk final : public Disk {
 public:
  std::uint64_t size() const noexcept override { return 64 * tebibyte; }

 private:
  void do_read(std::uint64_t, Bytes out) const override { std::ranges::fill(out, std::byte{0}); }
  Extent do_extent(std::uint64_t, std::uint64_t max) const override {
    return {max, Extent::Kind::hole};
  }
};

int error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return 0;
}

TEST_CASE("overlay: shows the base until it is written, and the base never changes") {
  for (const Make& make : both_kinds) {
    auto content = random_bytes(100000, 1);
    const DiskPtr base = read_only(content);
    const DiskPtr overlay = make(base);
    CHECK(overlay->writable());
    CHECK(overlay->size() == 100000);
    CHECK(read_all(*overlay) == content);
    overlay->write(4000, bytes_of("over a boundary of blocks, and more of it: "
                                  "it is long enough to reach the next one 0123456789"));
    CHECK(read_all(*overlay) != content);
    CHECK(read_all(*base) == content);
  }
}

TEST_CASE("overlay: the end of a disk that is not whole blocks is like any other place") {
  auto content = random_bytes(3 * block + 100, 2);
  const DiskPtr overlay = make_memory_overlay(read_only(content), unlimited);
  overlay->write(3 * block + 99, bytes_of("x"));
  content.back() = std::byte{'x'};
  CHECK(read_all(*overlay) == content);
  overlay->write_zeros(3 * block, 100);
  std::fill(content.end() - 100, content.end(), std::byte{0});
  CHECK(read_all(*overlay) == content);
  CHECK(overlay->extent(3 * block, unlimited).kind == Extent::Kind::hole);
}

TEST_CASE("overlay: a discarded whole block reads as zeros, a partial one as it was") {
  auto content = random_bytes(4 * block, 3);
  const DiskPtr overlay = make_memory_overlay(read_only(content), unlimited);
  overlay->discard(100, 2 * block);
  std::fill_n(content.begin() + block, block, std::byte{0});
  CHECK(read_all(*overlay) == content);
}

TEST_CASE("overlay: agrees with a plain array whatever is done") {
  constexpr std::size_t size = 5 * region + 777;
  for (unsigned seed = 0; seed < 6; ++seed) {
    std::mt19937 random(seed);
    auto model = random_bytes(size, seed);
    const DiskPtr overlay = both_kinds[seed % 2](read_only(model));
    for (int step = 0; step < 300; ++step) {
      const std::uint64_t offset = random() % size;
      const std::uint64_t longest = step % 10 == 0 ? 3 * region : 3 * block;
      std::uint64_t length = std::min<std::uint64_t>(random() % longest, size - offset);
      if (step % 7 == 0) {
        length = size - offset > longest ? length : size - offset;
      }
      const auto place = model.begin() + std::ptrdiff_t(offset);
      if (step % 3 == 0) {
        overlay->write_zeros(offset, length);
        std::fill_n(place, length, std::byte{0});
      } else {
        const auto data = random_bytes(length, unsigned(random()));
        overlay->write(offset, data);
        std::ranges::copy(data, place);
      }
    }
    REQUIRE(read_all(*overlay) == model);
    overlay->write_zeros(0, size);
    REQUIRE(all_zero(read_all(*overlay)));
  }
}

TEST_CASE("overlay: extents cover the disk and say truly what reads as zeros") {
  constexpr std::size_t size = 8 * region + 5;
  auto content = random_bytes(size, 9);
  const DiskPtr overlay = make_memory_overlay(read_only(content), unlimited);
  overlay->write_zeros(region - 10, 3 * region);
  overlay->write(2 * region + 5 * block, random_bytes(9000, 1));
  overlay->write_zeros(6 * region, block);
  std::uint64_t zeros = 0;
  for (std::uint64_t offset = 0; offset < size;) {
    const Extent extent = overlay->extent(offset, unlimited);
    REQUIRE(extent.length >= 1);
    REQUIRE(extent.length <= size - offset);
    if (extent.kind != Extent::Kind::data) {
      std::vector<std::byte> part(extent.length);
      overlay->read(offset, part);
      REQUIRE(all_zero(part));
      zeros += extent.length;
    }
    offset += extent.length;
  }
  CHECK(zeros >= 3 * region - 4 * block);
}

TEST_CASE("overlay: the extent of a changed block names where it lies") {
  const DiskPtr overlay = make_memory_overlay(read_only(random_bytes(region, 4)), unlimited);
  const auto data = random_bytes(2 * block, 5);
  overlay->write(3 * block, data);
  const Extent extent = overlay->extent(3 * block + 10, unlimited);
  CHECK(extent.length == 2 * block - 10);
  std::vector<std::byte> found(100);
  REQUIRE(pread(extent.fd, found.data(), found.size(), off_t(extent.file_offset)) == 100);
  CHECK(std::equal(found.begin(), found.end(), data.begin() + 10));
}

TEST_CASE("overlay: 64 TiB cost nothing until they are written, discarded or walked") {
  const DiskPtr overlay = make_memory_overlay(std::make_shared<EndlessDisk>(), 1U << 20);
  CHECK(overlay->extent(0, unlimited).length == 64 * tebibyte);
  overlay->write(63 * tebibyte + 5, bytes_of("far out"));
  CHECK(overlay->extent(0, unlimited).length == 63 * tebibyte);
  overlay->write_zeros(1, 64 * tebibyte - 2);
  std::vector<std::byte> out(7);
  overlay->read(63 * tebibyte + 5, out);
  CHECK(all_zero(out));
  overlay->discard(0, 64 * tebibyte);
  CHECK(overlay->extent(0, unlimited).kind == Extent::Kind::hole);
  CHECK(overlay->extent(0, unlimited).length == 64 * tebibyte);
}

TEST_CASE("overlay: the limit may be reached and not passed") {
  const DiskPtr overlay = make_memory_overlay(read_only(random_bytes(region, 6)), 4 * block);
  CHECK_NOTHROW(overlay->write(block - 1, random_bytes(2 * block + 2, 7)));
  CHECK(error_of([&] { overlay->write(10 * block, bytes_of("x")); }) == ENOSPC);
  CHECK_NOTHROW(overlay->write(block, bytes_of("rewritten in place")));
}

TEST_CASE("overlay: what is discarded may be written again under the same limit") {
  const DiskPtr overlay = make_memory_overlay(read_only(random_bytes(4 * region, 6)), 2 * block);
  for (int i = 0; i < 10; ++i) {
    overlay->write(region, random_bytes(2 * block, 8));
    i % 2 == 0 ? overlay->discard(region, 2 * block) : overlay->discard(0, 4 * region);
  }
  CHECK(error_of([&] { overlay->write(0, random_bytes(3 * block, 8)); }) == ENOSPC);
}

TEST_CASE("overlay: a refused write changes nothing in its region") {
  const auto content = random_bytes(region, 10);
  const DiskPtr overlay = make_memory_overlay(read_only(content), block);
  CHECK(error_of([&] { overlay->write(0, random_bytes(2 * block, 11)); }) == ENOSPC);
  CHECK(read_all(*overlay) == content);
}

TEST_CASE("overlay: a base that fails while a block is copied leaves the block as it was") {
  const auto content = random_bytes(region, 12);
  const auto base = std::make_shared<test::FaultDisk>(make_memory_disk(content));
  const DiskPtr overlay = make_memory_overlay(base, 2 * block);
  for (std::uint64_t n = 0; n < 2; ++n) {
    base->fail_read = base->reads + n;
    CHECK(error_of([&] { overlay->write(100, random_bytes(block, 13)); }) == EIO);
    CHECK(read_all(*overlay) == content);
  }
  // The failures gave back what they had reserved.
  CHECK_NOTHROW(overlay->write(100, random_bytes(block, 13)));
  CHECK(base->writes == 0);
}

// Writers fill blocks with one value, zero them or discard them; whoever reads a block must find
// one value throughout its 512-byte sectors, each written whole.
TEST_CASE("overlay: readers and writers of the same blocks see whole sectors of their own disk") {
  constexpr std::uint64_t blocks = 200;
  std::vector<std::byte> content(blocks * block);
  for (std::uint64_t i = 0; i < blocks; ++i) {
    std::fill_n(content.begin() + std::ptrdiff_t(i * block), block, std::byte(i));
  }
  const DiskPtr overlay = make_memory_overlay(read_only(content), unlimited);
  std::atomic<int> wrong = 0;
  // The values that block i may hold: i, i + 64, i + 128, and zero.
  const auto allowed = [](std::uint64_t i, std::byte value) {
    const auto number = std::uint64_t(value);
    return number == 0 || number == i % 256 || number == (i + 64) % 256 ||
           number == (i + 128) % 256;
  };
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    std::vector<std::byte> buffer(block);
    for (int step = 0; step < 4000; ++step) {
      const std::uint64_t i = random() % blocks;
      switch (random() % 8) {
        case 0:
          std::ranges::fill(buffer, std::byte(i + 64));
          overlay->write(i * block, buffer);
          break;
        case 1:
          overlay->write(i * block + 512,
                         ConstBytes(std::vector<std::byte>(512, std::byte(i + 128))));
          break;
        case 2:
          overlay->write_zeros(i * block, block);
          break;
        case 3:
          if (step % 64 == 0) {
            overlay->discard(0, overlay->size());
          }
          break;
        default:
          overlay->read(i * block, buffer);
          wrong += std::ranges::all_of(buffer, [&](std::byte b) { return allowed(i, b); }) ? 0 : 1;
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) {
    threads.emplace_back(work, seed);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(wrong == 0);
}

// Every thread owns sectors of blocks that all share, so that copying a block up while another
// thread writes to it would lose a write.
TEST_CASE("overlay: parts of one block written by several threads are all there") {
  constexpr std::uint64_t blocks = 128;
  const DiskPtr overlay =
      make_memory_overlay(read_only(std::vector<std::byte>(blocks * block)), unlimited);
  const auto work = [&](unsigned id) {
    const std::vector<std::byte> data(1024, std::byte(id + 1));
    for (std::uint64_t i = 0; i < blocks; ++i) {
      overlay->write(i * block + id * 1024, data);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned id = 0; id < 4; ++id) {
    threads.emplace_back(work, id);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const auto content = read_all(*overlay);
  bool right = true;
  for (std::size_t i = 0; i < content.size(); ++i) {
    right = right && content[i] == std::byte(i % block / 1024 + 1);
  }
  CHECK(right);
}

}  // namespace
}  // namespace vimg
