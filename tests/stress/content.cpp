#include "tests/stress/content.h"

#include <algorithm>
#include <cstring>

namespace vimg::stress {
namespace {

// Calls action(page number, offset in the page, bytes done before, bytes now).
template <typename Action>
void for_each_piece(std::uint64_t offset, std::uint64_t length, Action&& action) {
  for (std::uint64_t done = 0; done < length;) {
    const std::uint64_t inside = (offset + done) % page_size;
    const std::uint64_t step = std::min(length - done, page_size - inside);
    action((offset + done) / page_size, inside, done, step);
    done += step;
  }
}

}  // namespace

std::uint64_t hash_page(std::uint64_t index, std::span<const std::byte, page_size> page) {
  std::uint64_t hash = index * 0x9e3779b97f4a7c15 + 1;
  for (std::size_t at = 0; at < page.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, page.data() + at, sizeof(word));
    hash = (hash ^ word) * 0xff51afd7ed558ccd;
    hash ^= hash >> 32;
  }
  return hash;
}

bool Content::is_zero(const Page& page) {
  return std::ranges::all_of(page, [](std::byte byte) { return byte == std::byte{0}; });
}

void Content::resize(std::uint64_t size) {
  if (size < size_) {
    zero(size, size_ - size);  // growing again must show zeros
    pages_.erase(pages_.lower_bound((size + page_size - 1) / page_size), pages_.end());
  }
  size_ = size;
}

void Content::write(std::uint64_t offset, std::span<const std::byte> data) {
  size_ = data.empty() ? size_ : std::max(size_, offset + data.size());
  for_each_piece(offset, data.size(), [&](auto index, auto inside, auto done, auto step) {
    std::memcpy(pages_[index].data() + inside, data.data() + done, step);
  });
}

void Content::read(std::uint64_t offset, std::span<std::byte> out) const {
  for_each_piece(offset, out.size(), [&](auto index, auto inside, auto done, auto step) {
    const auto page = pages_.find(index);
    if (page == pages_.end()) {
      std::memset(out.data() + done, 0, step);
    } else {
      std::memcpy(out.data() + done, page->second.data() + inside, step);
    }
  });
}

void Content::zero(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = std::min(size_, offset + length);
  if (offset >= end) {
    return;
  }
  auto page = pages_.lower_bound(offset / page_size);
  while (page != pages_.end() && page->first * page_size < end) {
    const std::uint64_t start = page->first * page_size;
    const std::uint64_t from = std::max(offset, start) - start;
    const std::uint64_t to = std::min(end - start, std::uint64_t(page_size));
    std::fill(page->second.begin() + std::ptrdiff_t(from),
              page->second.begin() + std::ptrdiff_t(to), std::byte{0});
    ++page;
  }
}

void Content::collapse(std::uint64_t offset, std::uint64_t length) {
  std::map<std::uint64_t, Page> moved;
  for (auto& [index, page] : pages_) {
    const std::uint64_t start = index * page_size;
    if (start < offset) {
      moved.emplace(index, page);
    } else if (start >= offset + length) {
      moved.emplace(index - length / page_size, page);
    }
  }
  pages_ = std::move(moved);
  size_ -= length;
}

void Content::insert(std::uint64_t offset, std::uint64_t length) {
  std::map<std::uint64_t, Page> moved;
  for (auto& [index, page] : pages_) {
    moved.emplace(index * page_size < offset ? index : index + length / page_size, page);
  }
  pages_ = std::move(moved);
  size_ += length;
}

std::uint64_t Content::hash() const {
  std::uint64_t sum = 0;
  for (const auto& [index, page] : pages_) {
    sum += is_zero(page) ? 0 : hash_page(index, page);
  }
  return sum;
}

}  // namespace vimg::stress
