// The vdi driver on hostile images.
#include "fuzz/format_check.h"

namespace vimg {
extern const FormatDriver vdi_driver;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  vimg::fuzz::run_format(vimg::vdi_driver, data, size);
  return 0;
}
