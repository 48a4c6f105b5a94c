// Bits in an on-disk bitmap: bit n is bit n%8 of byte n/8.
#pragma once

#include <cstddef>

#include "disk/bytes.h"

namespace vimg::ext4 {

// All positions lie inside the bitmap; the caller has checked them.
bool test_bit(ConstBytes bits, std::size_t position) noexcept;
// The first clear (set) bit in [from, end), or `end`.
std::size_t find_clear(ConstBytes bits, std::size_t from, std::size_t end) noexcept;
std::size_t find_set(ConstBytes bits, std::size_t from, std::size_t end) noexcept;
void set_bits(Bytes bits, std::size_t from, std::size_t count) noexcept;
void clear_bits(Bytes bits, std::size_t from, std::size_t count) noexcept;
std::size_t count_set(ConstBytes bits, std::size_t end) noexcept;

}  // namespace vimg::ext4
