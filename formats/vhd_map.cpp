#include "formats/vhd_map.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "disk/cached_disk.h"
#include "disk/checked.h"
#include "disk/error.h"

namespace vimg::vhd {
namespace {

constexpr std::uint64_t scan_entries = 16384;
constexpr std::uint64_t bitmap_piece = 512;  // bytes that are looked at in one go

}  // namespace

VhdMap::VhdMap(const Header& header, DiskPtr file, std::uint64_t cache_bytes)
    : header_(header), file_(std::move(file)), tables_(make_cached_disk(file_, cache_bytes)) {}

std::optional<std::uint64_t> VhdMap::bitmap_of(std::uint64_t index) const {
  const std::uint32_t entry = read_object<be32>(*tables_, header_.entry_offset(index));
  if (entry == no_block) {
    return std::nullopt;
  }
  const std::uint64_t bitmap = entry * sector;
  if (!fits(bitmap, header_.bitmap_bytes, tables_->size())) {
    throw_corrupt(layer, fmt::format("block {} lies at {:#x}, beyond the file end {:#x}", index,
                                     bitmap, tables_->size()));
  }
  return bitmap;
}

// A dynamic disk's bitmaps are not looked at: programs differ in how they keep them, and an
// allocated block reads as zeros where nothing was written.
BlockRun VhdMap::find(std::uint64_t offset, std::uint64_t max) const {
  const std::uint64_t skip = offset % header_.block_size;
  const std::uint64_t length = std::min(max, header_.block_size - skip);
  const std::optional<std::uint64_t> bitmap = bitmap_of(offset / header_.block_size);
  if (!bitmap) {
    return {BlockRun::Kind::unmapped, length};
  }
  if (header_.type() == type_differencing) {
    return find_sectors(*bitmap, skip, length);
  }
  return {BlockRun::Kind::data, length, *bitmap + header_.bitmap_bytes + skip};
}

// A set bit: the sector is here, else in the parent.  The highest bit of a byte comes first.
BlockRun VhdMap::find_sectors(std::uint64_t bitmap, std::uint64_t skip, std::uint64_t max) const {
  const std::uint64_t first = skip / sector;
  const std::uint64_t begin = first / 8;
  std::array<std::byte, bitmap_piece> buffer;
  const Bytes bits = Bytes(buffer).first(std::min(bitmap_piece, header_.bitmap_bytes - begin));
  tables_->read(bitmap + begin, bits);
  const auto is_here = [&](std::uint64_t index) {
    return (bits[index / 8 - begin] >> (7 - index % 8) & std::byte{1}) != std::byte{0};
  };
  const std::uint64_t end = std::min(divide_up(skip + max, sector), (begin + bits.size()) * 8);
  const bool here = is_here(first);
  std::uint64_t next = first + 1;
  while (next < end && is_here(next) == here) {
    ++next;
  }
  const std::uint64_t length = std::min(max, next * sector - skip);
  if (!here) {
    return {BlockRun::Kind::unmapped, length};
  }
  return {BlockRun::Kind::data, length, bitmap + header_.bitmap_bytes + skip};
}

// Some programs read a dynamic disk's sectors as zeros unless they are marked.  Whole bytes of
// marks are set, so that threads need no lock: a mark too many shows what find() shows anyway.  In
// a differencing disk all that find() calls data is marked already.
void VhdMap::mark_written(std::uint64_t offset, std::uint64_t length) {
  if (header_.type() != type_dynamic) {
    return;
  }
  const std::uint64_t bitmap = bitmap_of(offset / header_.block_size).value();
  const std::uint64_t skip = offset % header_.block_size;
  std::uint64_t begin = skip / sector / 8;
  const std::uint64_t end = divide_up(divide_up(skip + length, sector), 8);
  std::array<std::byte, bitmap_piece> buffer;
  while (begin < end) {
    const Bytes marks = Bytes(buffer).first(std::min(bitmap_piece, end - begin));
    tables_->read(bitmap + begin, marks);
    if (!std::ranges::all_of(marks, [](std::byte mark) { return mark == std::byte{0xff}; })) {
      std::ranges::fill(marks, std::byte{0xff});
      tables_->write(bitmap + begin, marks);
    }
    begin += marks.size();
  }
}

// Finds the footer's place at the end of whole sectors, but behind all blocks: in an image that was
// cut short, or that is broken, it would come to lie in one of them.
void VhdMap::begin() {
  const std::uint64_t end = round_up(file_->size(), sector);
  footer_ = std::max(header_.footer_is_missing ? end : end - sector, end_of_blocks());
  if (footer_ + sector != file_->size() || header_.footer_is_missing) {
    file_->resize(footer_ + sector);
    file_->write(footer_, bytes_of(header_.footer));
  }
}

// Throws Error(EUCLEAN) for a block that writing would turn into damage of others: one that begins
// beyond the file, where new ones will be, or one in the image's own tables.
std::uint64_t VhdMap::end_of_blocks() const {
  std::uint64_t end = 0;
  std::vector<be32> entries;
  for (std::uint64_t index = 0; index < header_.table_entries; index += entries.size()) {
    entries.resize(std::min(scan_entries, header_.table_entries - index));
    file_->read(header_.entry_offset(index), std::as_writable_bytes(std::span(entries)));
    for (const std::uint32_t entry : entries) {
      if (entry == no_block) {
        continue;
      }
      const std::uint64_t place = entry * sector;
      if (!fits(place, header_.bitmap_bytes, file_->size()) || header_.meets_tables(place)) {
        throw_corrupt(layer, fmt::format("a block at {:#x} lies in the tables or beyond the file "
                                         "end {:#x}; the image is not written to",
                                         place, file_->size()));
      }
      end = std::max(end, place + header_.stride());
    }
  }
  return end;
}

// A new block takes the footer's place, which moves behind it first: an image cut short in between
// has a footer or, at its beginning, the copy.
std::uint64_t VhdMap::allocate(std::uint64_t offset) {
  const std::uint64_t index = offset / header_.block_size;
  if (const auto bitmap = bitmap_of(index)) {
    return *bitmap + header_.bitmap_bytes;
  }
  const std::uint64_t bitmap = footer_;
  const std::uint64_t footer = bitmap + header_.stride();
  if (bitmap / sector >= no_block) {
    throw_error(EFBIG, layer, "the image is as large as its table can say");
  }
  file_->resize(footer + sector);
  file_->write(footer, bytes_of(header_.footer));
  footer_ = footer;
  file_->write_zeros(bitmap, header_.bitmap_bytes);
  return bitmap + header_.bitmap_bytes;
}

void VhdMap::publish(std::uint64_t offset, std::uint64_t place) {
  const std::uint64_t index = offset / header_.block_size;
  const std::uint64_t bitmap = place - header_.bitmap_bytes;
  const std::vector<std::byte> all(divide_up(header_.block_size / sector, 8), std::byte{0xff});
  tables_->write(bitmap, all);
  tables_->write(header_.entry_offset(index), bytes_of(be32(std::uint32_t(bitmap / sector))));
}

}  // namespace vimg::vhd
