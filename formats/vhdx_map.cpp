#include "formats/vhdx_map.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg::vhdx {
namespace {

constexpr std::size_t max_blocks = 64;        // that one run is made of
constexpr std::uint64_t bitmap_window = 512;  // bytes of a bitmap that are looked at for one run

// True when `next`, which lies behind `run` on the disk, continues it.
bool continues(const BlockRun& run, const BlockRun& next) noexcept {
  return run.kind == next.kind &&
         (run.kind != BlockRun::Kind::data || run.place + run.length == next.place);
}

bool is_set(ConstBytes bitmap, std::uint64_t bit) noexcept {
  return (std::to_integer<unsigned>(bitmap[bit / 8]) >> (bit % 8) & 1) != 0;
}

}  // namespace

BlockLookup::BlockLookup(Layout layout, DiskPtr file, DiskPtr tables)
    : layout_(std::move(layout)),
      file_(std::move(file)),
      tables_(std::move(tables)),
      bat_(tables_, layout_.bat) {}

// One run ends with the chunk, as the entry of a bitmap lies behind it in the BAT.
BlockRun BlockLookup::find(std::uint64_t offset, std::uint64_t max) const {
  const std::uint64_t block_size = layout_.block_size;
  const std::uint64_t first = offset / block_size;
  const std::uint64_t left_in_chunk = layout_.chunk_ratio() - first % layout_.chunk_ratio();
  const std::uint64_t wanted = divide_up(offset % block_size + max, block_size);
  std::array<BatEntry, max_blocks> entries;
  const std::size_t count = std::min({wanted, left_in_chunk, std::uint64_t{max_blocks}});
  bat_.read(layout_.payload_index(first), std::span(entries).first(count));
  BlockRun run = run_in_block(entries[0], offset, max);
  for (std::size_t i = 1; i < count; ++i) {
    const std::uint64_t begin = (first + i) * block_size;
    if (offset + run.length != begin) {
      break;
    }
    const BlockRun next = run_in_block(entries[i], begin, max - run.length);
    if (!continues(run, next)) {
      break;
    }
    run.length += next.length;
  }
  return run;
}

BlockRun BlockLookup::run_in_block(BatEntry entry, std::uint64_t offset, std::uint64_t max) const {
  const std::uint64_t skip = offset % layout_.block_size;
  const std::uint64_t length = std::min(max, layout_.block_size - skip);
  const std::uint64_t block = offset / layout_.block_size;
  switch (entry.state()) {
    case BlockState::not_present:
      return {BlockRun::Kind::unmapped, length};
    case BlockState::undefined:
    case BlockState::zero:
    case BlockState::unmapped:
    case BlockState::unmapped_v095:
      return {BlockRun::Kind::zero, length};
    case BlockState::fully_present:
      validate_place(entry.place(), layout_.block_size, block);
      return data_run(entry.place() + skip, length);
    case BlockState::partially_present:
      validate_place(entry.place(), layout_.block_size, block);
      return partial_run(entry, offset, length);
  }
  throw_corrupt(layer, fmt::format("BAT entry of block {} has the state {}, which there is not",
                                   block, entry.value & entry_state_mask));
}

// Of a block that begins in the file, what lies beyond the end was never written.
BlockRun BlockLookup::data_run(std::uint64_t place, std::uint64_t length) const {
  const std::uint64_t file_size = file_->size();
  return place < file_size
             ? BlockRun{BlockRun::Kind::data, std::min(length, file_size - place), place}
             : BlockRun{BlockRun::Kind::zero, length};
}

// `max` ends in the block.
BlockRun BlockLookup::partial_run(BatEntry entry, std::uint64_t offset, std::uint64_t max) const {
  const std::uint64_t block = offset / layout_.block_size;
  const std::uint64_t chunk = block / layout_.chunk_ratio();
  const BatEntry bitmap =
      layout_.parent_locator ? bat_.read(layout_.bitmap_index(chunk)) : BatEntry{0};
  if (!bitmap.has_bitmap()) {
    throw_corrupt(layer,
                  fmt::format("block {} is present in part, and has no sector bitmap", block));
  }
  validate_place(bitmap.place(), mib, block);
  const std::uint64_t sector = offset / layout_.sector_size % sectors_per_bitmap;
  const std::uint64_t skip = offset % layout_.sector_size;
  const std::uint64_t byte = sector / 8;
  std::array<std::byte, bitmap_window> window;
  const std::uint64_t sectors =
      std::min(divide_up(skip + max, layout_.sector_size), bitmap_window * 8 - sector % 8);
  const Bytes bits = Bytes(window).first(divide_up(sector % 8 + sectors, 8));
  read_padded(*tables_, bitmap.place() + byte, bits);
  const bool is_present = is_set(bits, sector % 8);
  std::uint64_t same = 1;
  while (same < sectors && is_set(bits, sector % 8 + same) == is_present) {
    ++same;
  }
  const std::uint64_t length = std::min(max, same * layout_.sector_size - skip);
  return is_present ? data_run(entry.place() + offset % layout_.block_size, length)
                    : BlockRun{BlockRun::Kind::unmapped, length};
}

void BlockLookup::validate_place(std::uint64_t place, std::uint64_t length,
                                 std::uint64_t block) const {
  if (place >= file_->size()) {
    throw_corrupt(layer, fmt::format("BAT entry of block {} leads to {:#x}, beyond the file end "
                                     "{:#x}",
                                     block, place, file_->size()));
  }
  if (layout_.is_occupied(place, length)) {
    throw_corrupt(layer, fmt::format("BAT entry of block {} leads to {:#x}, into a region of the "
                                     "file's structure",
                                     block, place));
  }
}

}  // namespace vimg::vhdx
