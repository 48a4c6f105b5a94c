#include <cerrno>
#include <random>

#include <doctest/doctest.h>
#include <libdeflate.h>

#include "tests/formats/format_checks.h"

namespace vimg {

extern const FormatDriver cloop_driver;

namespace test {
namespace {

constexpr std::size_t block_size = 8192;
constexpr std::size_t block_count = 5;

std::vector<std::byte> content() {
  std::vector<std::byte> bytes(block_size * block_count);
  std::mt19937 random(3);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] = std::byte(at < bytes.size() / 2 ? random() : at / 100);
  }
  return bytes;
}

std::vector<std::byte> compressed(ConstBytes block) {
  libdeflate_compressor* const compressor = libdeflate_alloc_compressor(6);
  std::vector<std::byte> out(2 * block.size());
  out.resize(
      libdeflate_zlib_compress(compressor, block.data(), block.size(), out.data(), out.size()));
  libdeflate_free_compressor(compressor);
  return out;
}

std::vector<std::byte> image() {
  std::vector<std::byte> bytes(136 + (block_count + 1) * 8);
  std::ranges::copy(
      bytes_of("#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 "
               "/dev/cloop $1\n"),
      bytes.begin());
  store(Bytes(bytes), 128, be32(block_size));
  store(Bytes(bytes), 132, be32(block_count));
  const std::vector<std::byte> plain = content();
  for (std::size_t index = 0; index < block_count; ++index) {
    store(Bytes(bytes), 136 + index * 8, be64(bytes.size()));
    const auto block = compressed(ConstBytes(plain).subspan(index * block_size, block_size));
    bytes.insert(bytes.end(), block.begin(), block.end());
  }
  store(Bytes(bytes), 136 + block_count * 8, be64(bytes.size()));
  return bytes;
}

}  // namespace

TEST_CASE("cloop: an image decodes to what was put in, and QEMU says the same") {
  CHECK(decoded(cloop_driver, image()) == content());
  CHECK(decoded_by_qemu("cloop", image()) == content());
}

TEST_CASE("cloop: tables that lie are refused") {
  CHECK(error_of(cloop_driver, patched(image(), 128, be32(0))) == EUCLEAN);
  CHECK(error_of(cloop_driver, patched(image(), 128, be32(513))) == EUCLEAN);
  CHECK(error_of(cloop_driver, patched(image(), 128, be32(1U << 27))) == EUCLEAN);
  CHECK(error_of(cloop_driver, patched(image(), 132, be32(0xffffffff))) == EUCLEAN);
  CHECK(error_of(cloop_driver, patched(image(), 144, be64(1ULL << 60))) == EUCLEAN);
  CHECK(error_of(cloop_driver, patched(image(), 144, be64(1))) == EUCLEAN);
}

TEST_CASE("cloop: a block that decodes to more than it may is corrupt") {
  CHECK(error_of(cloop_driver, patched(image(), 128, be32(block_size / 2))) == EUCLEAN);
}

TEST_CASE("cloop: a read that fails is an error, never wrong content") {
  check_read_faults(cloop_driver, image());
}

}  // namespace test
}  // namespace vimg
