#include "disk/bytes.h"

#include <cstring>

namespace vimg {

ConstBytes bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string_view text_of(ConstBytes data) noexcept {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

bool all_zero(ConstBytes data) noexcept {
  // A buffer is zero when its first byte is and each byte equals the one before it.
  return data.empty() || (data[0] == std::byte{0} &&
                          std::memcmp(data.data(), data.data() + 1, data.size() - 1) == 0);
}

}  // namespace vimg
