// Sizes as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace vimg {

// As lsblk shows it: "512B", "1.5K", "720M", "64T"; powers of 1024, one decimal where it is not 0,
// rounded to the nearest.
std::string size_text(std::uint64_t bytes);

}  // namespace vimg
