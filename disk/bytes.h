// Bytes: spans of raw memory, the currency of all I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

namespace vimg {

using Bytes = std::span<std::byte>;
using ConstBytes = std::span<const std::byte>;

// The bytes of `object`, which must be trivially copyable; a literal is text, see below.
template <typename T>
requires(!std::is_convertible_v<const T&, std::string_view>) ConstBytes bytes_of(const T& object)
noexcept { return std::as_bytes(std::span<const T, 1>(&object, 1)); }

template <typename T>
Bytes writable_bytes_of(T& object) noexcept {
  return std::as_writable_bytes(std::span<T, 1>(&object, 1));
}

// The characters of `text` as bytes, and the bytes of `data` as characters; neither copies.
ConstBytes bytes_of(std::string_view text) noexcept;
std::string_view text_of(ConstBytes data) noexcept;

// True when every byte is zero.
bool all_zero(ConstBytes data) noexcept;

}  // namespace vimg
