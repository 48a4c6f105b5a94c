// The input is the beginning of a file whose format is asked for.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "formats/driver.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t max_input = 4096;
  if (size > max_input) {
    return -1;
  }
  const auto bytes = std::as_bytes(std::span(data, size));
  const vimg::DiskPtr disk = vimg::make_memory_disk({bytes.begin(), bytes.end()});
  try {
    vimg::detect_format(*disk);
  } catch (const vimg::Error&) {
  }
  return 0;
}
