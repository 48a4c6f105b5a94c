// /etc/fstab: any text is parsed and put in order.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "guest/device_name.h"
#include "guest/fstab.h"

namespace {

constexpr std::size_t max_input = 64U << 10;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > max_input) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> problems;
  const std::vector<vimg::FstabLine> lines = vimg::parse_fstab(text, problems);
  const std::vector<vimg::FstabLine> ordered = vimg::mount_order(lines);
  if (ordered.size() != lines.size() || lines.size() > vimg::max_fstab_lines) {
    std::abort();
  }
  for (const vimg::FstabLine& line : ordered) {
    vimg::parse_device_name(line.source);
    vimg::decode_udev(line.source);
  }
  return 0;
}
