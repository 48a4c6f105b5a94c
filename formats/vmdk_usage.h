// Which sectors of a VMDK sparse extent's file something refers to.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace vimg::vmdk {

// A part of a file's sectors at a time, so that memory does not grow with the file.
class SectorUsage {
 public:
  static constexpr std::uint64_t max_window = std::uint64_t{1} << 28;  // sectors; 32 MiB of bits

  // The window [begin, begin + count); count is at most max_window.
  SectorUsage(std::uint64_t begin, std::uint64_t count);

  // Marks what of [first, first + count) lies in the window, up to the first sector that was marked
  // before; false when there is one.  So all calls together cost no more than the window is long.
  bool mark(std::uint64_t first, std::uint64_t count);
  // Calls `action` for each longest run from `from` that is not marked.
  using Action = std::function<void(std::uint64_t first, std::uint64_t count)>;
  void for_each_unused(std::uint64_t from, const Action& action) const;

 private:
  std::uint64_t begin_;
  std::vector<bool> used_;
};

}  // namespace vimg::vmdk
