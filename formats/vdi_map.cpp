#include "formats/vdi_map.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "disk/cached_disk.h"
#include "disk/error.h"

namespace vimg::vdi {
namespace {

constexpr std::uint64_t scan_entries = 16384;

}  // namespace

VdiMap::VdiMap(const Header& header, DiskPtr file, std::uint64_t cache_bytes)
    : header_(header), file_(std::move(file)), table_(make_cached_disk(file_, cache_bytes)) {}

std::uint32_t VdiMap::entry(std::uint64_t index) const {
  return read_object<le32>(*table_, header_.entry_offset(index));
}

// The disk's size is rounded up to sectors, so it may pass the last block by less than one.
BlockRun VdiMap::find(std::uint64_t offset, std::uint64_t max) const {
  const std::uint64_t index = offset / header_.block_size;
  const std::uint64_t skip = offset % header_.block_size;
  const std::uint64_t length = std::min(max, header_.block_size - skip);
  const std::uint32_t number = index < header_.block_count ? entry(index) : entry_free;
  if (number == entry_free) {
    return {BlockRun::Kind::unmapped, length};
  }
  if (number == entry_zero) {
    return {BlockRun::Kind::zero, length};
  }
  return {BlockRun::Kind::data, length, header_.place(number) + skip};
}

// The header's count is not believed: a program that was killed may have left one too many there.
// The content's modification gets a new name, by which a child knows that its parent has changed.
void VdiMap::begin() {
  allocated_ = blocks_in_use(*file_, header_);
  file_->write(header_.allocated_offset, bytes_of(le32(std::uint32_t(allocated_))));
  file_->write(header_.modification_offset, bytes_of(random_guid()));
}

// The count goes to the file first: whoever finds it too high loses a block, whoever finds it too
// low would write over one.
std::uint64_t VdiMap::allocate(std::uint64_t) {
  if (allocated_ >= entry_zero) {
    throw_error(EFBIG, layer, "all block numbers are used up");
  }
  const std::uint64_t place = header_.place(allocated_);
  const std::uint64_t end = place + header_.block_size;
  if (place < file_->size()) {
    file_->write_zeros(place, std::min(end, file_->size()) - place);
  }
  if (end > file_->size()) {
    file_->resize(end);
  }
  ++allocated_;
  file_->write(header_.allocated_offset, bytes_of(le32(std::uint32_t(allocated_))));
  return place;
}

void VdiMap::set_entry(std::uint64_t index, std::uint32_t value) {
  table_->write(header_.entry_offset(index), bytes_of(le32(value)));
}

void VdiMap::publish(std::uint64_t offset, std::uint64_t place) {
  set_entry(offset / header_.block_size,
            std::uint32_t((place - header_.data_offset) / header_.stride()));
}

bool VdiMap::publish_zero(std::uint64_t offset) {
  set_entry(offset / header_.block_size, entry_zero);
  return true;
}

std::uint64_t blocks_in_use(const Disk& file, const Header& header) {
  std::uint64_t count = 0;
  std::vector<le32> entries(scan_entries);
  for (std::uint64_t index = 0; index < header.block_count; index += entries.size()) {
    entries.resize(std::min(scan_entries, header.block_count - index));
    file.read(header.entry_offset(index), std::as_writable_bytes(std::span(entries)));
    for (const std::uint32_t entry : entries) {
      if (entry < entry_zero) {
        count = std::max(count, std::uint64_t{entry} + 1);
      }
    }
  }
  return count;
}

}  // namespace vimg::vdi
