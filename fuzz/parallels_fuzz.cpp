// The parallels driver on hostile images.
#include "fuzz/format_check.h"

namespace vimg {
extern const FormatDriver parallels_driver;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  vimg::fuzz::run_format(vimg::parallels_driver, data, size);
  return 0;
}
