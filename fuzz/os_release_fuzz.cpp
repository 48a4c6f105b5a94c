// os-release files: any text is parsed, and what comes out can be printed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "disk/escape.h"
#include "guest/os_release.h"

namespace {

constexpr std::size_t max_input = 64U << 10;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > max_input) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& [name, value] : vimg::parse_os_release(text)) {
    const std::string valid = vimg::valid_utf8(value);
    if (vimg::valid_utf8(valid) != valid) {
      std::abort();
    }
    if (vimg::printable(value).find('\x1b') != std::string::npos) {
      std::abort();
    }
  }
  return 0;
}
