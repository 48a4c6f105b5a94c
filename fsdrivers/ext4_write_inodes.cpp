#include "fsdrivers/ext4_write_inodes.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_bitmap.h"

namespace vimg::ext4 {
namespace {

std::uint32_t free_inodes_of(const GroupDescriptor& group) noexcept {
  return std::uint32_t(group.free_inode_count_high) << 16 | group.free_inode_count_low;
}

void set_free_inodes(GroupDescriptor& group, std::uint32_t count) noexcept {
  group.free_inode_count_low = std::uint16_t(count);
  group.free_inode_count_high = std::uint16_t(count >> 16);
}

std::uint32_t free_clusters_of(const GroupDescriptor& group) noexcept {
  return std::uint32_t(group.free_block_count_high) << 16 | group.free_block_count_low;
}

std::uint32_t directories_of(const GroupDescriptor& group) noexcept {
  return std::uint32_t(group.directory_count_high) << 16 | group.directory_count_low;
}

void set_directories(GroupDescriptor& group, std::uint32_t count) noexcept {
  group.directory_count_low = std::uint16_t(count);
  group.directory_count_high = std::uint16_t(count >> 16);
}

// Inodes at the end of the table that were never used.
std::uint32_t unused_inodes_of(const GroupDescriptor& group) noexcept {
  return std::uint32_t(group.unused_inode_count_high) << 16 | group.unused_inode_count_low;
}

void set_unused_inodes(GroupDescriptor& group, std::uint32_t count) noexcept {
  group.unused_inode_count_low = std::uint16_t(count);
  group.unused_inode_count_high = std::uint16_t(count >> 16);
}

// Slots of the inode table that may hold something.
std::uint32_t used_slots(const Layout& layout, const GroupDescriptor& group) noexcept {
  return layout.inodes_per_group - std::min(layout.inodes_per_group, unused_inodes_of(group));
}

void check_bitmap(const Layout& layout, std::uint32_t group, const GroupDescriptor& descriptor,
                  ConstBytes bits) {
  if (layout.has_group_checksums() && find_set(bits, used_slots(layout, descriptor),
                                               layout.inodes_per_group) < layout.inodes_per_group) {
    throw_corrupt(layer, fmt::format("group {} uses inodes that it calls unused", group));
  }
  if (!layout.has_metadata_checksums()) {
    return;
  }
  const std::uint32_t checksum =
      crc32c(layout.checksum_seed, bits.first(layout.inodes_per_group / 8));
  const bool has_high = layout.descriptor_size >= sizeof(GroupDescriptor);
  if (descriptor.inode_bitmap_checksum_low != std::uint16_t(checksum) ||
      (has_high && descriptor.inode_bitmap_checksum_high != std::uint16_t(checksum >> 16))) {
    throw_corrupt(layer, fmt::format("the checksum of group {}'s inode bitmap is wrong", group));
  }
}

ConstBytes load_bitmap(Change& change, std::uint32_t group, GroupDescriptor& descriptor) {
  const Layout& layout = change.layout();
  const std::uint64_t block = inode_bitmap_of(descriptor);
  if (layout.has_group_checksums() && (descriptor.flags & group_inodes_unused) != 0) {
    change.create(block);
    const Bytes bits = change.edit_inode_bitmap(group, block);
    set_bits(bits, layout.inodes_per_group, bits.size() * 8 - layout.inodes_per_group);
    descriptor.flags = std::uint16_t(descriptor.flags & ~group_inodes_unused);
    set_unused_inodes(descriptor, layout.inodes_per_group);
    change.set_descriptor(group, descriptor);
    // Its checksum is made at commit(), but this change may look at it again before.
    change.volume().checked_inode_bitmaps.insert(group);
    return bits;
  }
  const ConstBytes bits = change.read(block);
  auto& checked = change.volume().checked_inode_bitmaps;
  if (checked.count(group) == 0) {
    check_bitmap(layout, group, descriptor, bits);
    checked.insert(group);
  }
  return bits;
}

// The table is zero only as far as it has been used, unless its flag says more: clears the slots
// from there to `index`, for whoever scans up to it.
void extend_table(Change& change, GroupDescriptor& descriptor, std::uint32_t index) {
  const Layout& layout = change.layout();
  const std::uint32_t used = used_slots(layout, descriptor);
  if (!layout.has_group_checksums() || index < used) {
    return;
  }
  for (std::uint32_t slot = used; slot <= index; ++slot) {
    const std::uint64_t block = inode_table_of(descriptor) + slot / layout.inodes_per_block();
    const std::uint32_t place = slot % layout.inodes_per_block();
    const Bytes bytes = place == 0 ? change.create(block) : change.edit(block);
    const Bytes one = bytes.subspan(std::size_t(place) * layout.inode_size, layout.inode_size);
    std::fill(one.begin(), one.end(), std::byte(0));
  }
  set_unused_inodes(descriptor, layout.inodes_per_group - index - 1);
}

void add_free_inodes(Change& change, std::int64_t difference) {
  Superblock& super = change.edit_super();
  super.free_inode_count = std::uint32_t(std::int64_t(super.free_inode_count.value()) + difference);
}

std::optional<std::uint32_t> allocate_in(Change& change, std::uint32_t group, mode_t mode) {
  const Layout& layout = change.layout();
  GroupDescriptor descriptor = change.descriptor(group);
  if (free_inodes_of(descriptor) == 0) {
    return std::nullopt;
  }
  const std::uint64_t before = std::uint64_t(group) * layout.inodes_per_group;
  // Reserved inodes are marked in the bitmap; skip them should they not be.
  const std::uint32_t lowest = group == 0 ? layout.first_inode - 1 : 0;
  const std::uint32_t end = std::uint32_t(std::min<std::uint64_t>(
      layout.inodes_per_group,
      layout.inode_count - std::min<std::uint64_t>(before, layout.inode_count)));
  const ConstBytes bits = load_bitmap(change, group, descriptor);
  std::uint32_t& hint = change.volume().hints.next_inode[group];
  std::size_t index = find_clear(bits, std::max(hint, lowest), end);
  if (index >= end) {
    index = find_clear(bits, std::min(lowest, end), end);
  }
  if (index >= end) {
    return std::nullopt;
  }
  hint = std::uint32_t(index + 1);
  set_bits(change.edit_inode_bitmap(group, inode_bitmap_of(descriptor)), index, 1);
  set_free_inodes(descriptor, free_inodes_of(descriptor) - 1);
  if (S_ISDIR(mode)) {
    set_directories(descriptor, directories_of(descriptor) + 1);
  }
  extend_table(change, descriptor, std::uint32_t(index));
  change.set_descriptor(group, descriptor);
  add_free_inodes(change, -1);
  return std::uint32_t(before + index + 1);
}

bool is_roomy(Change& change, std::uint32_t group) {
  const Layout& layout = change.layout();
  const GroupDescriptor descriptor = change.descriptor(group);
  const std::uint64_t average_inodes = change.super().free_inode_count / layout.group_count;
  return free_inodes_of(descriptor) > 0 && free_inodes_of(descriptor) >= average_inodes / 2 &&
         free_clusters_of(descriptor) >= layout.clusters_in(group) / 8;
}

// Directories near the root go to one roomy group after the other, deeper ones stay with their
// parent while it has room.
std::uint32_t directory_group(Change& change, const InodeRecord& parent) {
  const Layout& layout = change.layout();
  constexpr std::uint32_t most_looked_at = 64;
  const bool spread = parent.number == root_inode || parent.has_flag(inode_top_directory);
  std::uint32_t& next = change.volume().hints.next_directory_group;
  const std::uint32_t start =
      spread ? next % layout.group_count : layout.group_of_inode(parent.number);
  for (std::uint32_t step = 0; step < std::min(most_looked_at, layout.group_count); ++step) {
    const std::uint32_t group = (start + step) % layout.group_count;
    if (is_roomy(change, group)) {
      next = spread ? group + 1 : next;
      return group;
    }
  }
  return start;
}

}  // namespace

std::uint32_t allocate_inode(Change& change, const InodeRecord& parent, mode_t mode) {
  const Layout& layout = change.layout();
  if (change.super().free_inode_count == 0) {
    throw_error(ENOSPC, layer, "no free inodes");
  }
  const std::uint32_t start =
      S_ISDIR(mode) ? directory_group(change, parent) : layout.group_of_inode(parent.number);
  for (std::uint32_t step = 0; step < layout.group_count; ++step) {
    if (const auto number = allocate_in(change, (start + step) % layout.group_count, mode)) {
      return *number;
    }
  }
  throw_error(ENOSPC, layer, "no free inodes");
}

void free_inode(Change& change, InodeRecord& inode) {
  const Layout& layout = change.layout();
  const std::uint32_t group = layout.group_of_inode(inode.number);
  const std::uint32_t index = (inode.number - 1) % layout.inodes_per_group;
  GroupDescriptor descriptor = change.descriptor(group);
  if (!test_bit(load_bitmap(change, group, descriptor), index)) {
    throw_corrupt(layer, fmt::format("inode {} is freed but not in use", inode.number));
  }
  clear_bits(change.edit_inode_bitmap(group, inode_bitmap_of(descriptor)), index, 1);
  set_free_inodes(descriptor, free_inodes_of(descriptor) + 1);
  if (inode.is_directory()) {
    set_directories(descriptor, std::max(directories_of(descriptor), 1U) - 1);
  }
  change.set_descriptor(group, descriptor);
  add_free_inodes(change, 1);
  std::uint32_t& hint = change.volume().hints.next_inode[group];
  hint = std::min(hint, index);
  inode.raw.link_count = 0;
  inode.raw.mode = 0;
  set_size(inode, 0);
  inode.raw.dtime = std::uint32_t(current_time().tv_sec);
  store_inode(change, inode);
}

}  // namespace vimg::ext4
