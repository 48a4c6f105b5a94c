// SHA-256.
#pragma once

#include <array>
#include <cstddef>

#include "disk/bytes.h"

namespace vimg {

using Sha256 = std::array<std::byte, 32>;

Sha256 sha256(ConstBytes data);

}  // namespace vimg
