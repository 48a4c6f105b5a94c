#include "fsdrivers/jbd2_checksum.h"

#include <ext2fs/ext2fs.h>

namespace vimg {
namespace {

const unsigned char* characters(ConstBytes data) noexcept {
  const void* start = data.data();
  return static_cast<const unsigned char*>(start);
}

}  // namespace

std::uint32_t crc32c(std::uint32_t before, ConstBytes data) noexcept {
  return ext2fs_crc32c_le(before, characters(data), data.size());
}

std::uint32_t crc32_be(std::uint32_t before, ConstBytes data) noexcept {
  return ext2fs_crc32_be(before, characters(data), data.size());
}

}  // namespace vimg
