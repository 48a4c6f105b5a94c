// Assembly: any disk is taken apart into volumes, with unique and safe names.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <span>
#include <string>

#include "disk/memory_disk.h"
#include "guest/assembly.h"

namespace {

constexpr std::size_t max_input = 256U << 10;

// Fit to be a path below a directory: no component is empty, "." or "..".
bool is_safe(const std::string& name) {
  const std::string path = "/" + name + "/";
  for (const char* bad : {"//", "/./", "/../"}) {
    if (path.find(bad) != std::string::npos) {
      return false;
    }
  }
  return path.find('\0') == std::string::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > max_input) {
    return 0;
  }
  const auto bytes = std::as_bytes(std::span(data, size));
  std::vector<vimg::Image> images(1);
  images[0].disk = vimg::make_memory_disk({bytes.begin(), bytes.end()});
  const vimg::Assembly assembly = vimg::assemble(std::move(images));
  std::set<std::string> names;
  for (const vimg::Volume& volume : assembly.volumes) {
    if (!is_safe(volume.name) || !names.insert(volume.name).second) {
      std::abort();
    }
  }
  return 0;
}
