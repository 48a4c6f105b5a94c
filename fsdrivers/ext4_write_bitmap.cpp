#include "fsdrivers/ext4_write_bitmap.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "disk/endian.h"

namespace vimg::ext4 {
namespace {

std::byte mask_of(std::size_t position) noexcept { return std::byte(1U << (position % 8)); }

// The first bit in [from, end) that is 1 after `flip` was applied, or `end`.
std::size_t find(ConstBytes bits, std::size_t from, std::size_t end, std::uint64_t flip) noexcept {
  while (from < end) {
    const std::size_t start = from / 64 * 8;
    if (start + 8 > bits.size()) {
      break;
    }
    const std::uint64_t word = (load<le64>(bits, start) ^ flip) >> (from % 64);
    if (word != 0) {
      return std::min(end, from + std::size_t(std::countr_zero(word)));
    }
    from += 64 - from % 64;
  }
  for (; from < end; ++from) {
    if (test_bit(bits, from) != (flip != 0)) {
      return from;
    }
  }
  return end;
}

}  // namespace

bool test_bit(ConstBytes bits, std::size_t position) noexcept {
  return (bits[position / 8] & mask_of(position)) != std::byte(0);
}

std::size_t find_clear(ConstBytes bits, std::size_t from, std::size_t end) noexcept {
  return find(bits, from, end, ~std::uint64_t(0));
}

std::size_t find_set(ConstBytes bits, std::size_t from, std::size_t end) noexcept {
  return find(bits, from, end, 0);
}

void set_bits(Bytes bits, std::size_t from, std::size_t count) noexcept {
  for (const std::size_t end = from + count; from < end; ++from) {
    bits[from / 8] |= mask_of(from);
  }
}

void clear_bits(Bytes bits, std::size_t from, std::size_t count) noexcept {
  for (const std::size_t end = from + count; from < end; ++from) {
    bits[from / 8] &= ~mask_of(from);
  }
}

std::size_t count_set(ConstBytes bits, std::size_t end) noexcept {
  std::size_t count = 0;
  for (std::size_t position = 0; position < end; ++position) {
    count += test_bit(bits, position) ? 1 : 0;
  }
  return count;
}

}  // namespace vimg::ext4
