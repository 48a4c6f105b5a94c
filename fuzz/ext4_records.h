// What the ext4 fuzz targets share: a small image as records of a block number and that block.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "disk/endian.h"
#include "disk/error.h"
#include "disk/memory_disk.h"

namespace vimg {

constexpr std::size_t block_size = 1024;
constexpr std::size_t block_count = 1024;
constexpr std::size_t record_size = sizeof(le32) + block_size;
constexpr std::size_t max_input = 128 * record_size;

// Blocks that no record names are zeros.
inline DiskPtr unpack(ConstBytes input) {
  std::vector<std::byte> image(block_count * block_size);
  for (; input.size() >= record_size; input = input.subspan(record_size)) {
    const std::size_t number = load<le32>(input) % block_count;
    std::ranges::copy(input.subspan(sizeof(le32), block_size),
                      Bytes(image).subspan(number * block_size).begin());
  }
  return make_memory_disk(std::move(image));
}

// Damage is what a fuzzed image is made of.
template <typename Action>
void try_to(Action&& action) {
  try {
    action();
  } catch (const Error&) {
  }
}

}  // namespace vimg
