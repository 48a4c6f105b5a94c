#include "formats/block_disk.h"

#include <map>
#include <random>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/formats/test_context.h"

namespace vimg {
namespace {

constexpr std::uint64_t block = 4096;
constexpr std::uint64_t disk_size = 10 * block + 100;

enum class Zeros { can_be_published, cannot };

// Blocks in the order they were allocated, from the beginning of the file.
class ToyMap final : public WritableBlockMap {
 public:
  ToyMap(DiskPtr file, Zeros zeros) : file_(std::move(file)), zeros_(zeros) {}

  BlockRun find(std::uint64_t offset, std::uint64_t max) const override {
    const std::uint64_t skip = offset % block;
    const std::uint64_t length = std::min(max, block - skip);
    const auto found = places_.find(offset - skip);
    if (found == places_.end()) {
      return {BlockRun::Kind::unmapped, length};
    }
    if (found->second == zero) {
      return {BlockRun::Kind::zero, length};
    }
    return {BlockRun::Kind::data, length, found->second + skip};
  }
  std::uint64_t block_size() const noexcept override { return block; }
  std::uint64_t allocate(std::uint64_t) override {
    const std::uint64_t place = file_->size();
    file_->resize(place + block);
    return place;
  }
  void publish(std::uint64_t offset, std::uint64_t place) override { places_[offset] = place; }
  bool publish_zero(std::uint64_t offset) override {
    if (zeros_ == Zeros::can_be_published) {
      places_[offset] = zero;
    }
    return zeros_ == Zeros::can_be_published;
  }

 private:
  static constexpr std::uint64_t zero = ~std::uint64_t{0};
  DiskPtr file_;
  Zeros zeros_;
  std::map<std::uint64_t, std::uint64_t> places_;
};

std::vector<std::byte> noise(std::size_t size) {
  std::mt19937 random(7);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) {
    byte = std::byte(random());
  }
  return bytes;
}

struct Toy {
  explicit Toy(std::vector<std::byte> backing = {}, Zeros zeros = Zeros::cannot)
      : file(make_memory_disk({})) {
    BlockDiskParts parts;
    parts.size = disk_size;
    parts.file = file;
    if (!backing.empty()) {
      parts.backing = make_memory_disk(std::move(backing));
    }
    disk = make_writable_block_disk(std::make_unique<ToyMap>(file, zeros), parts);
  }
  DiskPtr file;
  DiskPtr disk;
};

}  // namespace

TEST_CASE("block disk: what was never written reads as the backing image and as zeros beyond it") {
  const std::vector<std::byte> old = noise(3 * block + 10);
  const Toy toy(old);
  std::vector<std::byte> expected = old;
  expected.resize(disk_size);
  CHECK(test::content_of(*toy.disk) == expected);
}

TEST_CASE("block disk: a small write keeps the rest of its block") {
  const std::vector<std::byte> old = noise(disk_size);
  const Toy toy(old);
  std::vector<std::byte> expected = old;
  const std::vector<std::byte> data(10, std::byte{1});
  toy.disk->write(block - 5, data);
  std::ranges::copy(data, expected.begin() + block - 5);
  CHECK(test::content_of(*toy.disk) == expected);
}

TEST_CASE("block disk: the last block, which is short, can be written to its end") {
  const Toy toy;
  const std::vector<std::byte> data(disk_size, std::byte{1});
  toy.disk->write(0, data);
  CHECK(test::content_of(*toy.disk) == data);
}

TEST_CASE("block disk: zeros allocate nothing where nothing is") {
  const Toy toy;
  toy.disk->write_zeros(0, disk_size);
  CHECK(toy.file->size() == 0);
}

TEST_CASE(
    "block disk: zeros hide the backing image, in whole blocks without space where a format can") {
  for (const Zeros zeros : {Zeros::can_be_published, Zeros::cannot}) {
    const std::vector<std::byte> old = noise(disk_size);
    const Toy toy(old, zeros);
    std::vector<std::byte> expected = old;
    toy.disk->write_zeros(block / 2, 3 * block);
    std::fill_n(expected.begin() + block / 2, 3 * block, std::byte{0});
    CHECK(test::content_of(*toy.disk) == expected);
    CHECK(toy.file->size() == (zeros == Zeros::cannot ? 4 : 2) * block);
  }
}

TEST_CASE(
    "block disk: a discarded range reads as zeros or as it was, and its neighbours as before") {
  const std::vector<std::byte> old = noise(disk_size);
  const Toy toy(old);
  toy.disk->write(2 * block, std::vector<std::byte>(block, std::byte{1}));
  toy.disk->discard(2 * block, block);
  std::vector<std::byte> expected = old;
  std::fill_n(expected.begin() + 2 * block, block, std::byte{0});
  CHECK(test::content_of(*toy.disk) == expected);
}

TEST_CASE("block disk: random changes leave what a plain disk would hold") {
  const std::vector<std::byte> old = noise(disk_size / 2);
  const Toy toy(old, Zeros::can_be_published);
  std::vector<std::byte> expected = old;
  expected.resize(disk_size);
  std::mt19937 random(11);
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t offset = random() % disk_size;
    const std::uint64_t length = random() % std::min(3 * block, disk_size - offset);
    if (random() % 3 == 0) {
      toy.disk->write_zeros(offset, length);
      std::fill_n(expected.begin() + std::ptrdiff_t(offset), length, std::byte{0});
    } else {
      const std::vector<std::byte> data(length, std::byte(random()));
      toy.disk->write(offset, data);
      std::ranges::copy(data, expected.begin() + std::ptrdiff_t(offset));
    }
  }
  CHECK(test::content_of(*toy.disk) == expected);
}

}  // namespace vimg
