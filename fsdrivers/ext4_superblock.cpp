#include "fsdrivers/ext4_superblock.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"

namespace vimg::ext4 {
namespace {

constexpr std::uint32_t max_log_block_size = 6;     // 64 KiB; spec
constexpr std::uint32_t max_log_cluster_size = 19;  // 512 MiB; e2fsprogs
constexpr std::uint32_t max_descriptor_size = 1024;
constexpr std::uint64_t max_block_count = std::uint64_t{1} << 48;

void require(bool holds, std::string_view field, std::uint64_t found) {
  if (!holds) {
    throw_corrupt(layer, fmt::format("superblock: {} cannot be {:#x}", field, found));
  }
}

void check_checksum(const Superblock& superblock) {
  if (!has_metadata_checksums(superblock)) {
    return;
  }
  if (superblock.checksum_type != 1) {
    throw_unsupported(
        layer, fmt::format("superblock: checksum type {} is not known", superblock.checksum_type));
  }
  const auto covered = bytes_of(superblock).first(offsetof(Superblock, checksum));
  const std::uint32_t expected = crc32c(~std::uint32_t{0}, covered);
  if (superblock.checksum != expected) {
    throw_corrupt(layer, fmt::format("superblock: checksum is {:#010x}, expected {:#010x}",
                                     superblock.checksum.value(), expected));
  }
}

void check_features(const Superblock& superblock) {
  if (superblock.revision > 1) {
    throw_unsupported(
        layer, fmt::format("superblock: revision {} is not known", superblock.revision.value()));
  }
  if (has_incompat(superblock, incompat_journal_dev)) {
    throw_unsupported(layer, "this is an external journal (journal_dev), not a file system");
  }
  const std::string unknown = unreadable_features(superblock.feature_incompat);
  if (!unknown.empty()) {
    throw_unsupported(layer, fmt::format("features not supported: {}", unknown));
  }
}

void set_block_sizes(Geometry& geometry, const Superblock& superblock) {
  require(superblock.log_block_size <= max_log_block_size, "log_block_size",
          superblock.log_block_size);
  geometry.block_bits = superblock.log_block_size + 10;
  geometry.block_size = std::uint32_t{1} << geometry.block_bits;
  if (!has_ro_compat(superblock, ro_compat_bigalloc)) {
    return;
  }
  require(superblock.log_cluster_size >= superblock.log_block_size &&
              superblock.log_cluster_size <= max_log_cluster_size,
          "log_cluster_size", superblock.log_cluster_size);
  geometry.cluster_blocks = std::uint32_t{1}
                            << (superblock.log_cluster_size - superblock.log_block_size);
}

void set_inode_sizes(Geometry& geometry, const Superblock& superblock) {
  const bool dynamic = superblock.revision >= 1;
  geometry.inode_size = dynamic ? superblock.inode_size.value() : small_inode_size;
  geometry.first_inode = dynamic ? superblock.first_inode.value() : 11;
  require(std::has_single_bit(geometry.inode_size) && geometry.inode_size >= small_inode_size &&
              geometry.inode_size <= geometry.block_size,
          "inode_size", geometry.inode_size);
  require(geometry.first_inode >= 11, "first_inode", geometry.first_inode);
  geometry.inodes_per_group = superblock.inodes_per_group;
  require(geometry.inodes_per_group >= geometry.block_size / geometry.inode_size &&
              geometry.inodes_per_group <= geometry.block_size * 8,
          "inodes_per_group", geometry.inodes_per_group);
}

void set_descriptor_size(Geometry& geometry, const Superblock& superblock) {
  geometry.descriptor_size = 32;
  if (has_incompat(superblock, incompat_64bit)) {
    geometry.descriptor_size = superblock.descriptor_size;
    require(std::has_single_bit(geometry.descriptor_size) && geometry.descriptor_size >= 64 &&
                geometry.descriptor_size <= max_descriptor_size,
            "descriptor_size", geometry.descriptor_size);
  }
}

// In a group, each of the bitmaps has one bit for a cluster and fills at most one block.
void set_group_sizes(Geometry& geometry, const Superblock& superblock) {
  geometry.blocks_per_group = superblock.blocks_per_group;
  const std::uint64_t limit = std::uint64_t{geometry.block_size} * 8 * geometry.cluster_blocks;
  require(geometry.blocks_per_group > 0 && geometry.blocks_per_group <= limit &&
              geometry.blocks_per_group % geometry.cluster_blocks == 0,
          "blocks_per_group", geometry.blocks_per_group);
}

void set_counts(Geometry& geometry, const Superblock& superblock) {
  const bool wide = has_incompat(superblock, incompat_64bit);
  geometry.block_count =
      joined(wide ? superblock.block_count_high.value() : 0, superblock.block_count_low);
  geometry.first_data_block = superblock.first_data_block;
  require(geometry.block_count > 0 && geometry.block_count <= max_block_count, "block_count",
          geometry.block_count);
  require(geometry.first_data_block < geometry.block_count, "first_data_block",
          geometry.first_data_block);
  const std::uint64_t groups =
      divide_up(geometry.block_count - geometry.first_data_block, geometry.blocks_per_group);
  geometry.inode_count = superblock.inode_count;
  // So there are at most 2^32 groups, since a group has at least one inode.
  const auto inodes = checked_mul(groups, geometry.inodes_per_group);
  if (!inodes || *inodes != geometry.inode_count) {
    throw_corrupt(layer, fmt::format("superblock: {:#x} inodes, expected {:#x} in each of {:#x} "
                                     "groups",
                                     geometry.inode_count, geometry.inodes_per_group, groups));
  }
  geometry.group_count = std::uint32_t(groups);
}

bool is_power_of(std::uint32_t value, std::uint32_t base) noexcept {
  while (value % base == 0) {
    value /= base;
  }
  return value == 1;
}

std::string uuid_text(const std::array<std::uint8_t, 16>& uuid) {
  std::string text;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
  }
  return text;
}

}  // namespace

Superblock read_superblock(const Disk& disk, std::uint64_t offset) {
  if (!fits(offset, sizeof(Superblock), disk.size())) {
    throw_corrupt(
        layer, fmt::format("superblock at {:#x} lies beyond the end {:#x}", offset, disk.size()));
  }
  const auto superblock = read_object<Superblock>(disk, offset);
  if (superblock.magic != superblock_magic) {
    throw_corrupt(layer, fmt::format("superblock at {:#x}: magic is {:#06x}, expected {:#06x}",
                                     offset, superblock.magic.value(), superblock_magic));
  }
  return superblock;
}

Geometry validate(const Superblock& superblock, std::uint64_t offset) {
  Geometry geometry;
  check_features(superblock);
  check_checksum(superblock);
  set_block_sizes(geometry, superblock);
  set_inode_sizes(geometry, superblock);
  set_descriptor_size(geometry, superblock);
  set_group_sizes(geometry, superblock);
  set_counts(geometry, superblock);
  geometry.superblock_block = offset / geometry.block_size;
  return geometry;
}

std::string type_of(const Superblock& superblock) {
  // What the ext2 and ext3 drivers of the kernel understood, and blkid decides by.
  constexpr std::uint32_t old_ro_compat =
      ro_compat_sparse_super | ro_compat_large_file | ro_compat_btree_dir;
  constexpr std::uint32_t old_incompat = incompat_filetype | incompat_meta_bg;
  const bool journal = has_compat(superblock, compat_has_journal);
  const std::uint32_t incompat = old_incompat | (journal ? incompat_recover : 0);
  if (has_incompat(superblock, incompat_journal_dev)) {
    return "jbd";
  }
  if ((superblock.feature_ro_compat & ~old_ro_compat) == 0 &&
      (superblock.feature_incompat & ~incompat) == 0) {
    return journal ? "ext3" : "ext2";
  }
  return (superblock.flags & flag_test_filesystem) != 0 ? "ext4dev" : "ext4";
}

FileSystemIdentity identity_of(const Superblock& superblock) {
  FileSystemIdentity identity;
  identity.type = type_of(superblock);
  const auto& label = superblock.label;
  identity.label.assign(label.begin(), std::find(label.begin(), label.end(), '\0'));
  identity.label.erase(identity.label.find_last_not_of(" \t\n\v\f\r") + 1);
  if (!all_zero(bytes_of(superblock.uuid))) {
    identity.uuid = uuid_text(superblock.uuid);
  }
  return identity;
}

bool has_superblock_copy(const Superblock& superblock, std::uint32_t group) {
  if (group == 0) {
    return true;
  }
  if (has_compat(superblock, compat_sparse_super2)) {
    return group == superblock.backup_groups[0] || group == superblock.backup_groups[1];
  }
  if (group == 1 || !has_ro_compat(superblock, ro_compat_sparse_super)) {
    return true;
  }
  return group % 2 != 0 &&
         (is_power_of(group, 3) || is_power_of(group, 5) || is_power_of(group, 7));
}

}  // namespace vimg::ext4
