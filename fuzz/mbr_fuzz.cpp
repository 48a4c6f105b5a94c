// The input is a disk; its MBR and extended boot records are read.
#include <cstddef>
#include <cstdint>

#include "fuzz/partition_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t max_input = 64U << 10;
  if (size > max_input) {
    return -1;
  }
  vimg::check_scheme("dos", std::as_bytes(std::span(data, size)));
  return 0;
}
