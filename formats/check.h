// What an image's structure was found to be, as `vimg check` reports it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vimg {

enum class Repair { nothing, leaks };

// One finding each; a corruption loses data or may, a leak only space.
struct CheckReport {
  // In words, with places: "cluster 5 refcount=1 reference=0".  At most max_findings of them.
  std::vector<std::string> findings;
  std::uint64_t corruptions = 0;
  std::uint64_t leaks = 0;        // blocks that nothing refers to
  std::uint64_t leaks_fixed = 0;  // of `leaks`
  std::uint64_t total_blocks = 0;
  std::uint64_t allocated_blocks = 0;
  std::uint64_t compressed_blocks = 0;
  std::uint64_t image_end = 0;  // bytes: where the last thing in use ends

  static constexpr std::size_t max_findings = 1000;
  void add_corruption(std::string finding);
  void add_leak(std::string finding);
};

}  // namespace vimg
