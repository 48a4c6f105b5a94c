#include "formats/vhdx_writer.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/vhdx_space.h"

namespace vimg::vhdx {
namespace {

constexpr std::uint64_t max_changed_entries = 16384;  // about 1 MiB of memory

}  // namespace

WritableMap::WritableMap(const CurrentHeader& header, Layout layout, DiskPtr file, DiskPtr tables)
    : file_(file),
      lookup_(std::move(layout), std::move(file), std::move(tables)),
      header_(header),
      log_(*file_, header_),
      end_(end_of_blocks()) {}

std::uint64_t WritableMap::end_of_blocks() const {
  const Layout& layout = lookup_.layout();
  SpaceMap space(layout, file_->size());
  visit_bat(layout, lookup_.bat(), [&](const BatSlot& slot) {
    if (slot.is_bitmap ? !slot.entry.has_bitmap() : !slot.entry.has_payload()) {
      return;
    }
    const std::uint64_t length = slot.is_bitmap ? mib : layout.block_size;
    lookup_.validate_place(slot.entry.place(), length, slot.number);
    if (!space.take(slot.entry.place(), length)) {
      throw_corrupt(layer,
                    fmt::format("the {} {} at {:#x} overlaps another one; the image can only "
                                "be read",
                                slot.is_bitmap ? "bitmap of chunk" : "block", slot.number,
                                slot.entry.place()));
    }
  });
  return std::max(space.end(), round_up(file_->size(), mib));
}

// The file may end in its last block; what is written there must not end in the middle.
void WritableMap::begin() {
  Header wanted = header_.header;
  wanted.file_write_guid = random_guid();
  wanted.data_write_guid = random_guid();
  update_headers(*file_, header_, wanted);
  if (file_->size() < end_) {
    file_->resize(end_);
  }
}

std::uint64_t WritableMap::index_of(std::uint64_t offset) const noexcept {
  return lookup_.layout().payload_index(offset / block_size());
}

// A block that is present in part is filled up from the parent where it is.
std::uint64_t WritableMap::allocate(std::uint64_t offset) {
  const BatEntry entry = lookup_.bat().read(index_of(offset));
  if (entry.has_payload()) {
    return entry.place();
  }
  const std::uint64_t place = end_;
  if (place + block_size() > max_file_size) {
    throw_error(ENOSPC, layer, "the file has become too large");
  }
  file_->resize(place + block_size());
  end_ = place + block_size();
  return place;
}

void WritableMap::publish(std::uint64_t offset, std::uint64_t place) {
  change(offset, {place | std::uint64_t(BlockState::fully_present)});
}

bool WritableMap::publish_zero(std::uint64_t offset) {
  if (lookup_.bat().read(index_of(offset)).has_payload()) {
    return false;
  }
  change(offset, {std::uint64_t(BlockState::zero)});
  return true;
}

void WritableMap::change(std::uint64_t offset, BatEntry entry) {
  lookup_.bat().set(index_of(offset), entry);
  if (lookup_.bat().changed_entries() >= max_changed_entries) {
    flush();
  }
}

void WritableMap::flush() {
  while (lookup_.bat().changed_entries() > 0) {
    const std::vector<TablePage> pages = lookup_.bat().changed_pages(log_.max_pages());
    log_.write(pages);
    lookup_.bat().write(pages);
  }
}

void WritableMap::end() { log_.close(); }

}  // namespace vimg::vhdx
