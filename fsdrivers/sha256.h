// SHA-256, from libgcrypt.
#pragma once

#include <array>
#include <cstddef>

#include "disk/bytes.h"

namespace vimg {

using Sha256 = std::array<std::byte, 32>;

// May be called from any thread.
Sha256 sha256(ConstBytes data);

}  // namespace vimg
