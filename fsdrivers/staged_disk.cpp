#include "fsdrivers/staged_disk.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {
namespace {

// Calls `visit(block, at, done, length)` for the part of the range [offset, offset + length) that
// lies in each block: it begins `at` bytes into the block and `done` bytes into the range.
template <typename Visit>
void for_each_block(std::uint64_t offset, std::size_t length, std::uint32_t block_size,
                    Visit&& visit) {
  for (std::size_t done = 0; done < length;) {
    const std::size_t at = std::size_t((offset + done) % block_size);
    const std::size_t part = std::min(length - done, block_size - at);
    visit((offset + done) / block_size, at, done, part);
    done += part;
  }
}

}  // namespace

StagedDisk::StagedDisk(DiskPtr base, std::uint32_t block_size, std::uint64_t limit)
    : base_(std::move(base)), block_size_(block_size), limit_(limit) {}

void StagedDisk::do_read(std::uint64_t offset, Bytes out) const {
  base_->read(offset, out);
  const auto patch = [&](std::uint64_t block, std::size_t at, std::size_t done, std::size_t part) {
    const auto found = blocks_.find(block);
    if (found != blocks_.end()) {
      std::ranges::copy(ConstBytes(found->second).subspan(at, part), out.subspan(done).begin());
    }
  };
  for_each_block(offset, out.size(), block_size_, patch);
}

void StagedDisk::do_write(std::uint64_t offset, ConstBytes data) {
  const auto change = [&](std::uint64_t block, std::size_t at, std::size_t done, std::size_t part) {
    std::ranges::copy(data.subspan(done, part),
                      block_to_change(block).begin() + std::ptrdiff_t(at));
  };
  for_each_block(offset, data.size(), block_size_, change);
}

std::vector<std::byte>& StagedDisk::block_to_change(std::uint64_t block) {
  const auto found = blocks_.find(block);
  if (found != blocks_.end()) {
    return found->second;
  }
  if ((blocks_.size() + 1) * block_size_ > limit_) {
    throw_error(ENOSPC, "recovery", fmt::format("more than {:#x} bytes would change", limit_));
  }
  return blocks_.emplace(block, read_below(block)).first->second;
}

// The last block of a disk may be cut short.
std::vector<std::byte> StagedDisk::read_below(std::uint64_t block) const {
  const std::uint64_t offset = block * block_size_;
  std::vector<std::byte> content(std::min<std::uint64_t>(block_size_, base_->size() - offset));
  base_->read(offset, content);
  return content;
}

StagedDisk::Blocks StagedDisk::changes() const {
  Blocks changed;
  for (const auto& [block, content] : blocks_) {
    if (content != read_below(block)) {
      changed.emplace(block, content);
    }
  }
  return changed;
}

}  // namespace vimg
