// UTF-16 names from on-disk structures as UTF-8.
#pragma once

#include <span>
#include <string>

#include "disk/endian.h"

namespace vimg {

// The code units up to the first zero as valid UTF-8; what is not a character becomes U+FFFD.
std::string utf8_from_utf16(std::span<const le16> units);

}  // namespace vimg
