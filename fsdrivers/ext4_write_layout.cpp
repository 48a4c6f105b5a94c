#include "fsdrivers/ext4_write_layout.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/ext4_superblock.h"

namespace vimg::ext4 {
namespace {

constexpr std::uint32_t max_block_bits = 16;    // EXT2_MAX_BLOCK_LOG_SIZE
constexpr std::uint32_t max_cluster_bits = 29;  // EXT2_MAX_CLUSTER_LOG_SIZE
constexpr std::uint32_t max_flex_bits = 31;

[[noreturn]] void throw_field(const char* field, std::uint64_t value) {
  throw_corrupt(layer, fmt::format("superblock field '{}' is out of range: {:#x}", field, value));
}

std::uint32_t bounded(const char* field, std::uint32_t value, std::uint32_t low,
                      std::uint32_t high) {
  if (value < low || value > high) {
    throw_field(field, value);
  }
  return value;
}

bool is_power_of(std::uint32_t value, std::uint32_t base) noexcept {
  // Divides by 3 or more each step, so it ends within 21 steps.
  while (value > 1 && value % base == 0) {
    value /= base;
  }
  return value == 1;
}

}  // namespace

Layout::Layout(const Superblock& super, std::uint64_t disk_size) {
  if (super.magic != superblock_magic) {
    throw_field("magic", super.magic);
  }
  block_bits = 10 + bounded("log_block_size", super.log_block_size, 0, max_block_bits - 10);
  revision = super.revision;
  compat = revision == 0 ? 0 : super.feature_compat.value();
  incompat = revision == 0 ? 0 : super.feature_incompat.value();
  ro_compat = revision == 0 ? 0 : super.feature_ro_compat.value();
  cluster_bits = 0;
  if (has_ro_compat(ro_compat_bigalloc)) {
    cluster_bits = bounded("log_cluster_size", super.log_cluster_size, block_bits - 10,
                           max_cluster_bits - 10) +
                   10 - block_bits;
  }
  const bool wide = has_incompat(incompat_64bit);
  block_count = joined(wide ? super.block_count_high.value() : 0, super.block_count_low);
  inode_count = super.inode_count;
  first_data_block = super.first_data_block;
  blocks_per_group = super.blocks_per_group;
  clusters_per_group = cluster_bits == 0 ? blocks_per_group : super.clusters_per_group.value();
  inodes_per_group = super.inodes_per_group;
  first_inode = revision == 0 ? 11 : super.first_inode.value();
  inode_size = revision == 0 ? std::uint16_t(small_inode_size) : super.inode_size.value();
  descriptor_size = wide ? super.descriptor_size.value() : std::uint16_t(32);
  wanted_extra_size = super.wanted_extra_inode_size;
  flex_group_bits = has_incompat(incompat_flex_bg) ? super.log_groups_per_flex : 0;
  flags = super.flags;
  default_mount_options = super.default_mount_options;
  hash_version = super.hash_version;
  std::copy(super.hash_seed.begin(), super.hash_seed.end(), hash_seed.begin());
  uuid = super.uuid;
  checksum_seed = has_incompat(incompat_csum_seed) ? super.checksum_seed.value()
                                                   : crc32c(~std::uint32_t(0), bytes_of(uuid));
  first_meta_group = super.first_meta_group;
  reserved_descriptor_blocks = super.reserved_descriptor_blocks;
  std::copy(super.backup_groups.begin(), super.backup_groups.end(), backup_groups.begin());
  encoding = super.encoding;
  encoding_flags = super.encoding_flags;
  validate(super, disk_size);
  group_count = std::uint32_t(divide_up(block_count - first_data_block, blocks_per_group));
  if (std::uint64_t(group_count) * inodes_per_group < inode_count) {
    throw_field("inodes_count", inode_count);
  }
}

void Layout::validate(const Superblock& super, std::uint64_t disk_size) const {
  const std::uint32_t block_bytes = block_size();
  bounded("inode_size", inode_size, small_inode_size, block_bytes);
  if ((inode_size & (inode_size - 1)) != 0) {
    throw_field("inode_size", inode_size);
  }
  bounded("desc_size", descriptor_size, has_incompat(incompat_64bit) ? 64 : 32, block_bytes);
  if ((descriptor_size & (descriptor_size - 1)) != 0) {
    throw_field("desc_size", descriptor_size);
  }
  bounded("clusters_per_group", clusters_per_group, 8, 8 * block_bytes);
  if (std::uint64_t(clusters_per_group) << cluster_bits != blocks_per_group) {
    throw_field("blocks_per_group", blocks_per_group);
  }
  bounded("inodes_per_group", inodes_per_group, block_bytes / inode_size, 8 * block_bytes);
  bounded("first_data_block", first_data_block, 0, block_bits == 10 && cluster_bits == 0 ? 1 : 0);
  bounded("first_ino", first_inode, 11, inode_count);
  bounded("log_groups_per_flex", flex_group_bits, 0, max_flex_bits);
  if (block_count <= first_data_block || block_count > disk_size >> block_bits) {
    throw_corrupt(layer, fmt::format("{} blocks of {} bytes do not fit the {:#x} bytes of the disk",
                                     block_count, block_bytes, disk_size));
  }
  const std::uint64_t groups = divide_up(block_count - first_data_block, blocks_per_group);
  if (groups > std::numeric_limits<std::uint32_t>::max() / inodes_per_group) {
    throw_field("blocks_count", block_count);
  }
  const std::uint64_t table_blocks = divide_up(groups * descriptor_size, block_bytes);
  if (has_incompat(incompat_meta_bg) ? super.first_meta_group > table_blocks
                                     : table_blocks >= block_count) {
    throw_field("first_meta_bg", super.first_meta_group);
  }
}

bool Layout::has_group_checksums() const noexcept {
  return has_ro_compat(ro_compat_gdt_csum | ro_compat_metadata_csum);
}

bool Layout::has_metadata_checksums() const noexcept {
  return has_ro_compat(ro_compat_metadata_csum);
}

std::uint32_t Layout::group_of_inode(std::uint32_t inode) const noexcept {
  return (inode - 1) / inodes_per_group;
}

std::uint32_t Layout::group_of_block(std::uint64_t block) const noexcept {
  return std::uint32_t((block - first_data_block) / blocks_per_group);
}

std::uint64_t Layout::first_block(std::uint32_t group) const noexcept {
  return first_data_block + std::uint64_t(group) * blocks_per_group;
}

std::uint32_t Layout::blocks_in(std::uint32_t group) const noexcept {
  return std::uint32_t(std::min<std::uint64_t>(blocks_per_group, block_count - first_block(group)));
}

std::uint32_t Layout::clusters_in(std::uint32_t group) const noexcept {
  return std::uint32_t(divide_up(blocks_in(group), blocks_per_cluster()));
}

bool Layout::has_superblock(std::uint32_t group) const noexcept {
  if (group == 0) {
    return true;
  }
  if (has_compat(compat_sparse_super2)) {
    return group == backup_groups[0] || group == backup_groups[1];
  }
  return group == 1 || !has_ro_compat(ro_compat_sparse_super) || is_power_of(group, 3) ||
         is_power_of(group, 5) || is_power_of(group, 7);
}

std::uint32_t Layout::base_metadata_blocks(std::uint32_t group) const noexcept {
  const std::uint32_t per_block = block_size() / descriptor_size;
  const std::uint32_t meta_group = group / per_block;
  const std::uint32_t own = has_superblock(group) ? 1 : 0;
  if (!has_incompat(incompat_meta_bg) || meta_group < first_meta_group) {
    const std::uint32_t blocks = has_incompat(incompat_meta_bg)
                                     ? first_meta_group
                                     : std::uint32_t(divide_up(group_count, per_block));
    return own == 0 ? 0 : own + blocks + reserved_descriptor_blocks;
  }
  const std::uint32_t place = group % per_block;
  return own + (place == 0 || place == 1 || place == per_block - 1 ? 1 : 0);
}

std::uint64_t Layout::descriptor_block(std::uint32_t group) const noexcept {
  const std::uint32_t per_block = block_size() / descriptor_size;
  const std::uint32_t meta_group = group / per_block;
  // With blocks larger than 1 KiB the superblock shares block 0 with nothing but the boot sector.
  const std::uint64_t after_superblock = superblock_block() + 1;
  if (!has_incompat(incompat_meta_bg) || meta_group < first_meta_group) {
    return after_superblock + meta_group;
  }
  const std::uint32_t holder = meta_group * per_block;
  const std::uint64_t start = holder == 0 ? after_superblock - 1 : first_block(holder);
  return start + (has_superblock(holder) ? 1 : 0);
}

std::uint32_t Layout::descriptor_offset(std::uint32_t group) const noexcept {
  return group % (block_size() / descriptor_size) * descriptor_size;
}

std::uint64_t Layout::maximum_extent_file_size() const noexcept {
  // Logical block numbers have 32 bits, and the last one must stay countable.
  return std::min<std::uint64_t>(std::uint64_t(0xFFFFFFFF) << block_bits,
                                 std::numeric_limits<std::int64_t>::max());
}

std::uint64_t Layout::maximum_mapped_file_size() const noexcept {
  const std::uint64_t pointers = block_size() / 4;
  const std::uint64_t blocks = 12 + pointers + pointers * pointers + pointers * pointers * pointers;
  // i_blocks has 32 bits of 512 bytes without huge_file; stay below it with the indirect blocks.
  const std::uint64_t countable = has_ro_compat(ro_compat_huge_file)
                                      ? std::numeric_limits<std::uint64_t>::max()
                                      : (std::uint64_t(1) << 41) - (std::uint64_t(1) << 32);
  return std::min({std::min<std::uint64_t>(blocks, 0xFFFFFFFF) << block_bits, countable,
                   std::uint64_t(std::numeric_limits<std::int64_t>::max())});
}

}  // namespace vimg::ext4
