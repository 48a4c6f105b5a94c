// Content: what a file should hold, sparse.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>

namespace vimg::stress {

constexpr std::size_t page_size = 4096;

// A hash of the page numbered `index`, to be summed over the pages of a file that are not zero.
std::uint64_t hash_page(std::uint64_t index, std::span<const std::byte, page_size> page);

// Offsets and lengths are in bytes.  Copies are cheap enough: the files of a stress run are small.
class Content {
 public:
  std::uint64_t size() const { return size_; }
  // New bytes are zeros.
  void resize(std::uint64_t size);
  // Grows the file when it must.
  void write(std::uint64_t offset, std::span<const std::byte> data);
  // Inside the file.
  void read(std::uint64_t offset, std::span<std::byte> out) const;
  // Only what is inside the file.
  void zero(std::uint64_t offset, std::uint64_t length);
  // Both in whole pages, inside the file.
  void collapse(std::uint64_t offset, std::uint64_t length);
  void insert(std::uint64_t offset, std::uint64_t length);

  std::size_t page_count() const { return pages_.size(); }
  std::uint64_t hash() const;

  // Calls action(offset) for each page that is not all zeros.
  template <typename Action>
  void for_each_data_page(Action&& action) const {
    for (const auto& [index, page] : pages_) {
      if (!is_zero(page)) {
        action(index * page_size);
      }
    }
  }

 private:
  using Page = std::array<std::byte, page_size>;

  static bool is_zero(const Page& page);

  std::uint64_t size_ = 0;
  std::map<std::uint64_t, Page> pages_;  // by number; those that are not there are zeros
};

}  // namespace vimg::stress
