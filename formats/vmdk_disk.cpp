#include "formats/vmdk_disk.h"

#include <algorithm>
#include <random>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace vimg::vmdk {
namespace {

// `old`, which is hexadecimal, with other digits; never all of them f, which means "no parent".
std::string other_digits(std::string_view old) {
  std::random_device random;
  for (;;) {
    std::string digits = fmt::format("{:08x}", random()).substr(8 - old.size());
    digits.front() = digits.front() == '0' ? '1' : digits.front();
    if (digits != old && digits.find_first_not_of('f') != std::string::npos) {
      return digits;
    }
  }
}

}  // namespace

ContentId::ContentId(DiskPtr file, DescriptorPlace descriptor)
    : file_(std::move(file)), descriptor_(descriptor) {}

// As many digits as there were, so that no other byte of the descriptor moves.
void ContentId::renew() {
  const std::string text = read_descriptor(*file_, descriptor_);
  const std::optional<DescriptorPlace> cid = find_cid(text);
  if (!cid || cid->length == 0 || cid->length > 8) {
    return;
  }
  const std::string digits = other_digits(std::string_view(text).substr(cid->offset, cid->length));
  file_->write(descriptor_.offset + cid->offset, bytes_of(std::string_view(digits)));
  file_->flush();
}

VmdkDisk::VmdkDisk(Parts parts) : cid_(parts.cid), content_id_(std::move(parts.content_id)) {
  for (DiskPtr& extent : parts.extents) {
    parts_.push_back({size_, std::move(extent)});
    size_ += parts_.back().disk->size();
  }
}

// The last part that begins at or before `offset`; an empty one is followed by one that does, too.
const VmdkDisk::Part& VmdkDisk::part_at(std::uint64_t offset) const noexcept {
  return *std::prev(std::ranges::upper_bound(parts_, offset, {}, &Part::begin));
}

void VmdkDisk::for_each_part(std::uint64_t offset, std::uint64_t length,
                             const Action& action) const {
  while (length > 0) {
    const Part& part = part_at(offset);
    const std::uint64_t skip = offset - part.begin;
    const std::uint64_t done = std::min(length, part.disk->size() - skip);
    action(*part.disk, skip, done);
    offset += done;
    length -= done;
  }
}

void VmdkDisk::begin_writing() {
  if (is_changed_) {
    return;
  }
  const std::lock_guard lock(mutex_);
  if (!is_changed_) {
    content_id_->renew();
    is_changed_ = true;
  }
}

void VmdkDisk::do_read(std::uint64_t offset, Bytes out) const {
  for_each_part(offset, out.size(),
                [&](const Disk& disk, std::uint64_t skip, std::uint64_t length) {
                  disk.read(skip, out.first(length));
                  out = out.subspan(length);
                });
}

void VmdkDisk::do_write(std::uint64_t offset, ConstBytes data) {
  begin_writing();
  for_each_part(offset, data.size(), [&](Disk& disk, std::uint64_t skip, std::uint64_t length) {
    disk.write(skip, data.first(length));
    data = data.subspan(length);
  });
}

void VmdkDisk::do_write_zeros(std::uint64_t offset, std::uint64_t length) {
  begin_writing();
  for_each_part(offset, length, [](Disk& disk, std::uint64_t skip, std::uint64_t part_length) {
    disk.write_zeros(skip, part_length);
  });
}

void VmdkDisk::do_discard(std::uint64_t offset, std::uint64_t length) {
  begin_writing();
  for_each_part(offset, length, [](Disk& disk, std::uint64_t skip, std::uint64_t part_length) {
    disk.discard(skip, part_length);
  });
}

void VmdkDisk::do_flush() {
  for (const Part& part : parts_) {
    part.disk->flush();
  }
}

Extent VmdkDisk::do_extent(std::uint64_t offset, std::uint64_t max) const {
  const Part& part = part_at(offset);
  const std::uint64_t skip = offset - part.begin;
  return part.disk->extent(skip, std::min(max, part.disk->size() - skip));
}

}  // namespace vimg::vmdk
