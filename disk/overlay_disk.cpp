#include "disk/overlay_disk.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/file_descriptor.h"
#include "disk/file_io.h"
#include "disk/overlay_map.h"
#include "disk/temporary_file.h"

namespace vimg {
namespace {

constexpr char layer[] = "overlay";
constexpr std::uint64_t block_size = overlay_block_size;
constexpr std::uint64_t region_size = overlay_region_size;

// The blocks that [begin, end) of a region touches, and those that it covers.  end > begin.
std::uint64_t mask_of(std::uint64_t first, std::uint64_t last) noexcept {
  return first >= last ? 0 : (~std::uint64_t{0} >> (64 - (last - first))) << first;
}
std::uint64_t touched_by(std::uint64_t begin, std::uint64_t end) noexcept {
  return mask_of(begin / block_size, divide_up(end, block_size));
}
std::uint64_t covered_by(std::uint64_t begin, std::uint64_t end) noexcept {
  return mask_of(divide_up(begin, block_size), end / block_size);
}

// What becomes of the blocks that a range of zeros covers in part.
enum class PartialBlocks { zeroed, left };

// Changed blocks lie in a sparse file without a name (the store), each region at a place of its own
// that is never used for another one, so that a reader who has looked up where a block is may read
// it without a lock: it finds the block's older or newer content, or the zeros that it became.
class OverlayDisk final : public Disk {
 public:
  OverlayDisk(DiskPtr base, FileDescriptor store, std::uint64_t max_blocks)
      : base_(std::move(base)), store_(std::move(store)), max_blocks_(max_blocks) {}

  std::uint64_t size() const noexcept override { return base_->size(); }
  std::uint32_t sector_size() const noexcept override { return base_->sector_size(); }
  bool writable() const noexcept override { return true; }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override;
  void do_write(std::uint64_t offset, ConstBytes data) override;
  void do_write_zeros(std::uint64_t offset, std::uint64_t length) override;
  void do_discard(std::uint64_t offset, std::uint64_t length) override;
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override;

  void read_run(const OverlayMap::Run& run, std::uint64_t offset, Bytes out) const;
  void write_in_region(std::uint64_t offset, ConstBytes data);
  void store_blocks(const OverlayRegion& region, std::uint64_t offset, ConstBytes data,
                    std::uint64_t fresh);
  void copy_up(const OverlayRegion& region, std::uint64_t offset);
  void make_zero(std::uint64_t offset, std::uint64_t length, PartialBlocks partial);
  void make_zero_in_region(std::uint64_t offset, std::uint64_t length, PartialBlocks partial);
  void make_zero_blocks(std::uint64_t index, std::uint64_t blocks);
  void make_zero_regions(std::uint64_t begin, std::uint64_t end);
  std::uint64_t padded_end(std::uint64_t end) const noexcept;
  void reserve(std::uint64_t blocks);
  void release(std::uint64_t blocks) noexcept { used_blocks_ -= blocks; }

  std::mutex& writer_of(std::uint64_t index) { return writers_[index % writers_.size()]; }

  const DiskPtr base_;
  const FileDescriptor store_;
  const std::uint64_t max_blocks_;
  std::atomic<std::uint64_t> used_blocks_ = 0;
  std::atomic<std::uint64_t> next_place_ = 0;
  OverlayMap map_;
  // A region is changed under the mutex that its index selects, all regions at once under all of
  // them in ascending order.  Held while the store is written; readers never take them.
  std::array<std::mutex, 16> writers_;
};

void OverlayDisk::do_read(std::uint64_t offset, Bytes out) const {
  while (!out.empty()) {
    const OverlayMap::Run run = map_.run_at(offset, out.size());
    read_run(run, offset, out.first(run.length));
    offset += run.length;
    out = out.subspan(run.length);
  }
}

void OverlayDisk::read_run(const OverlayMap::Run& run, std::uint64_t offset, Bytes out) const {
  switch (run.place) {
    case OverlayMap::Place::base:
      base_->read(offset, out);
      return;
    case OverlayMap::Place::zero:
      std::ranges::fill(out, std::byte{0});
      return;
    case OverlayMap::Place::store:
      break;
  }
  // The store may end in the middle of the last block that was written: a hole like any other.
  const std::uint64_t count = read_file_range(store_.get(), run.store_offset, out, layer);
  std::ranges::fill(out.subspan(count), std::byte{0});
}

void OverlayDisk::do_write(std::uint64_t offset, ConstBytes data) {
  while (!data.empty()) {
    const std::uint64_t step =
        std::min<std::uint64_t>(region_size - offset % region_size, data.size());
    write_in_region(offset, data.first(step));
    offset += step;
    data = data.subspan(step);
  }
}

// Blocks become visible in the store by one change of the map after all of them are there.
void OverlayDisk::write_in_region(std::uint64_t offset, ConstBytes data) {
  const std::uint64_t index = offset / region_size;
  const std::lock_guard lock(writer_of(index));
  OverlayRegion region = map_.region(index);
  if (region.store_place == OverlayRegion::no_place) {
    region.store_place = next_place_.fetch_add(region_size);
  }
  const std::uint64_t begin = offset % region_size;
  const std::uint64_t fresh = touched_by(begin, begin + data.size()) & ~region.stored;
  const auto fresh_count = std::uint64_t(std::popcount(fresh));
  reserve(fresh_count);
  try {
    store_blocks(region, offset, data, fresh);
  } catch (...) {
    release(fresh_count);
    throw;
  }
  region.stored |= fresh;
  region.zero &= ~fresh;
  map_.set_region(index, region);
}

// `fresh` are the touched blocks that the store does not have yet.
void OverlayDisk::store_blocks(const OverlayRegion& region, std::uint64_t offset, ConstBytes data,
                               std::uint64_t fresh) {
  const std::uint64_t start = round_down(offset, region_size);
  const std::uint64_t begin = offset - start;
  std::uint64_t partial = fresh & ~covered_by(begin, begin + data.size());
  for (; partial != 0; partial &= partial - 1) {
    copy_up(region, start + std::uint64_t(std::countr_zero(partial)) * block_size);
  }
  write_file_range(store_.get(), region.store_place + begin, data, layer);
}

// Brings the whole block at `offset` into the store.
void OverlayDisk::copy_up(const OverlayRegion& region, std::uint64_t offset) {
  std::array<std::byte, block_size> block{};
  const std::uint64_t within = offset % region_size;
  if ((region.zero >> (within / block_size) & 1) == 0) {
    base_->read(offset, Bytes(block).first(std::min(block_size, size() - offset)));
  }
  write_file_range(store_.get(), region.store_place + within, block, layer);
}

void OverlayDisk::do_write_zeros(std::uint64_t offset, std::uint64_t length) {
  make_zero(offset, length, PartialBlocks::zeroed);
}

void OverlayDisk::do_discard(std::uint64_t offset, std::uint64_t length) {
  make_zero(offset, length, PartialBlocks::left);
}

void OverlayDisk::make_zero(std::uint64_t offset, std::uint64_t length, PartialBlocks partial) {
  const std::uint64_t end = offset + length;
  const std::uint64_t first_whole = divide_up(offset, region_size);
  const std::uint64_t end_whole = end / region_size;
  if (first_whole >= end_whole) {
    const std::uint64_t middle = std::min(first_whole * region_size, end);
    make_zero_in_region(offset, middle - offset, partial);
    make_zero_in_region(middle, end - middle, partial);
    return;
  }
  make_zero_in_region(offset, first_whole * region_size - offset, partial);
  make_zero_regions(first_whole, end_whole);
  make_zero_in_region(end_whole * region_size, end - end_whole * region_size, partial);
}

// Does nothing when `length` is 0.
void OverlayDisk::make_zero_in_region(std::uint64_t offset, std::uint64_t length,
                                      PartialBlocks partial) {
  if (length == 0) {
    return;
  }
  static constexpr std::array<std::byte, block_size> zeros{};
  const std::uint64_t end = offset + length;
  const std::uint64_t inner_begin = std::min(round_up(offset, block_size), end);
  const std::uint64_t inner_end = std::max(round_down(padded_end(end), block_size), inner_begin);
  if (partial == PartialBlocks::zeroed) {
    do_write(offset, ConstBytes(zeros).first(inner_begin - offset));
    do_write(std::min(inner_end, end), ConstBytes(zeros).first(end - std::min(inner_end, end)));
  }
  if (inner_begin < inner_end) {
    const std::uint64_t index = inner_begin / region_size;
    const std::uint64_t start = index * region_size;
    make_zero_blocks(index, covered_by(inner_begin - start, inner_end - start));
  }
}

// What reaches the end of the disk covers the last block, however short that is.
std::uint64_t OverlayDisk::padded_end(std::uint64_t end) const noexcept {
  return end == size() ? round_up(end, block_size) : end;
}

void OverlayDisk::make_zero_blocks(std::uint64_t index, std::uint64_t blocks) {
  const std::lock_guard lock(writer_of(index));
  OverlayRegion region = map_.region(index);
  const std::uint64_t dropped = region.stored & blocks;
  region.stored &= ~blocks;
  region.zero |= blocks;
  map_.set_region(index, region);
  release(std::uint64_t(std::popcount(dropped)));
  if (dropped != 0) {
    const auto first = std::uint64_t(std::countr_zero(blocks));
    const auto count = std::uint64_t(std::popcount(blocks));
    reshape_file_range(store_.get(), FALLOC_FL_PUNCH_HOLE, region.store_place + first * block_size,
                       count * block_size, layer);
  }
}

void OverlayDisk::make_zero_regions(std::uint64_t begin, std::uint64_t end) {
  std::array<std::unique_lock<std::mutex>, std::tuple_size_v<decltype(writers_)>> locks;
  for (std::size_t i = 0; i < locks.size(); ++i) {
    locks[i] = std::unique_lock(writers_[i]);
  }
  for (const OverlayRegion& region : map_.zero_regions(begin, end)) {
    release(std::uint64_t(std::popcount(region.stored)));
    if (region.stored != 0) {
      reshape_file_range(store_.get(), FALLOC_FL_PUNCH_HOLE, region.store_place, region_size,
                         layer);
    }
  }
}

Extent OverlayDisk::do_extent(std::uint64_t offset, std::uint64_t max) const {
  const OverlayMap::Run run = map_.run_at(offset, max);
  switch (run.place) {
    case OverlayMap::Place::base:
      return base_->extent(offset, run.length);
    case OverlayMap::Place::zero:
      return {run.length, Extent::Kind::hole};
    default:
      return {run.length, Extent::Kind::data, store_.get(), run.store_offset};
  }
}

void OverlayDisk::reserve(std::uint64_t blocks) {
  if (used_blocks_.fetch_add(blocks) + blocks > max_blocks_) {
    release(blocks);
    throw_error(ENOSPC, layer,
                fmt::format("more than {} bytes were changed in memory", max_blocks_ * block_size));
  }
}

}  // namespace

DiskPtr make_memory_overlay(DiskPtr base, std::uint64_t limit) {
  FileDescriptor memory(memfd_create("vimg-overlay", MFD_CLOEXEC));
  if (!memory) {
    throw_errno(errno, layer, "cannot make a file in memory");
  }
  return std::make_shared<OverlayDisk>(std::move(base), std::move(memory), limit / block_size);
}

DiskPtr make_scratch_overlay(DiskPtr base) {
  return std::make_shared<OverlayDisk>(std::move(base), make_temporary_file(),
                                       std::numeric_limits<std::uint64_t>::max() / block_size);
}

}  // namespace vimg
