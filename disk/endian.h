// On-disk integers: le16…le64 and be16…be64, of alignment 1, so that structures match their layout.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "disk/bytes.h"

namespace vimg {

// An integer kept in memory as it lies on disk.  Reads and writes convert; there is no arithmetic.
template <std::unsigned_integral T, std::endian order>
class OnDiskInteger {
 public:
  constexpr OnDiskInteger() noexcept = default;
  constexpr OnDiskInteger(T value) noexcept : bytes_(std::bit_cast<Storage>(swapped(value))) {}

  constexpr T value() const noexcept { return swapped(std::bit_cast<T>(bytes_)); }
  constexpr operator T() const noexcept { return value(); }

 private:
  using Storage = std::array<std::byte, sizeof(T)>;

  static constexpr T swapped(T value) noexcept {
    if constexpr (order == std::endian::native) {
      return value;
    } else if constexpr (sizeof(T) == 2) {
      return __builtin_bswap16(value);
    } else if constexpr (sizeof(T) == 4) {
      return __builtin_bswap32(value);
    } else {
      return __builtin_bswap64(value);
    }
  }

  Storage bytes_{};
};

using le16 = OnDiskInteger<std::uint16_t, std::endian::little>;
using le32 = OnDiskInteger<std::uint32_t, std::endian::little>;
using le64 = OnDiskInteger<std::uint64_t, std::endian::little>;
using be16 = OnDiskInteger<std::uint16_t, std::endian::big>;
using be32 = OnDiskInteger<std::uint32_t, std::endian::big>;
using be64 = OnDiskInteger<std::uint64_t, std::endian::big>;

// What may be copied to and from disk as it is: no padding can hide in it, as nothing is aligned.
template <typename T>
concept OnDisk = std::is_trivially_copyable_v<T> && alignof(T) == 1;

// The T that `data` begins with at `offset`.  The caller has checked that it is there.
template <OnDisk T>
T load(ConstBytes data, std::size_t offset = 0) noexcept {
  T value;
  std::memcpy(&value, data.subspan(offset, sizeof(T)).data(), sizeof(T));
  return value;
}

template <OnDisk T>
void store(Bytes data, std::size_t offset, const T& value) noexcept {
  std::memcpy(data.subspan(offset, sizeof(T)).data(), &value, sizeof(T));
}

}  // namespace vimg
