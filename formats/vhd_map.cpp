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

// Writes the footer where it should be, at the end of whole sectors.
void VhdMap::begin() {
  const std::uint64_t end = round_up(file_->size(), sector);
  const bool is_whole = end == file_->size() && !header_.footer_is_missing;
  if (!is_whole) {
    const std::uint64_t footer = header_.footer_is_missing ? end : end - sector;
    file_->resize(footer + sector);
    file_->write(footer, bytes_of(header_.footer));
  }
}

// A new block takes the footer's place, which moves behind it first: an image cut short in between
// has a footer or, at its beginning, the copy.
std::uint64_t VhdMap::allocate(std::uint64_t offset) {
  const std::uint64_t index = offset / header_.block_size;
  if (const auto bitmap = bitmap_of(index)) {
    return *bitmap + header_.bitmap_bytes;
  }
  const std::uint64_t bitmap = file_->size() - sector;
  const std::uint64_t footer = bitmap + header_.bitmap_bytes + header_.block_size;
  if (bitmap / sector >= no_block) {
    throw_error(EFBIG, layer, "the image is as large as its table can say");
  }
  file_->resize(footer + sector);
  file_->write(footer, bytes_of(header_.footer));
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
