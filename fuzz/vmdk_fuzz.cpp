// The VMDK driver on hostile images.
#include "fuzz/format_check.h"

namespace vimg {
extern const FormatDriver vmdk_driver;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  vimg::fuzz::run_format(vimg::vmdk_driver, data, size);
  return 0;
}
