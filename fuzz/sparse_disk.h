// SparseDisk: a disk in memory that takes memory only where something was written.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>

#include "disk/checked.h"
#include "disk/disk.h"

namespace vimg::fuzz {

// For one thread.  Zeros are kept as nothing.
class SparseDisk final : public Disk {
 public:
  explicit SparseDisk(std::uint64_t size) : size_(size) {}

  std::uint64_t size() const noexcept override { return size_; }
  bool writable() const noexcept override { return true; }

 private:
  static constexpr std::uint64_t page_size = 4096;
  using Page = std::array<std::byte, page_size>;

  void do_read(std::uint64_t offset, Bytes out) const override {
    while (!out.empty()) {
      const std::uint64_t skip = offset % page_size;
      const std::size_t length = std::min<std::size_t>(out.size(), page_size - skip);
      const auto page = pages_.find(offset / page_size);
      if (page == pages_.end()) {
        std::ranges::fill(out.first(length), std::byte{0});
      } else {
        std::ranges::copy(ConstBytes(page->second).subspan(skip, length), out.begin());
      }
      offset += length;
      out = out.subspan(length);
    }
  }

  void do_write(std::uint64_t offset, ConstBytes data) override {
    while (!data.empty()) {
      const std::uint64_t skip = offset % page_size;
      const std::size_t length = std::min<std::size_t>(data.size(), page_size - skip);
      const std::uint64_t index = offset / page_size;
      if (pages_.contains(index) || !all_zero(data.first(length))) {
        std::ranges::copy(data.first(length), pages_[index].begin() + std::ptrdiff_t(skip));
      }
      offset += length;
      data = data.subspan(length);
    }
  }

  // Whole pages are dropped; what is left of others is written.
  void do_write_zeros(std::uint64_t offset, std::uint64_t length) override {
    const std::uint64_t end = offset + length;
    const std::uint64_t begin_whole = std::min(round_up(offset, page_size), end);
    const std::uint64_t end_whole = std::max(round_down(end, page_size), begin_whole);
    pages_.erase(pages_.lower_bound(begin_whole / page_size),
                 pages_.lower_bound(end_whole / page_size));
    static constexpr Page zeros{};
    do_write(offset, ConstBytes(zeros).first(begin_whole - offset));
    do_write(end_whole, ConstBytes(zeros).first(end - end_whole));
  }

  void do_resize(std::uint64_t size) override {
    if (size < size_) {
      write_zeros(size, size_ - size);
    }
    size_ = size;
  }

  std::uint64_t size_;
  std::map<std::uint64_t, Page> pages_;  // by number
};

}  // namespace vimg::fuzz
