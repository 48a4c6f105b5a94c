#include "fsdrivers/ext4_statistics.h"

#include <algorithm>

#include "disk/checked.h"

namespace vimg::ext4 {
namespace {

// With more groups the superblock's own counts are taken, which are right after a clean unmount:
// reading all descriptors of 64 TiB would take longer than mounting.
constexpr std::uint32_t max_counted_groups = 4096;

constexpr std::uint64_t max_reserved_clusters = 4096;  // what the kernel keeps for extents
constexpr std::uint64_t reserved_share = 50;           // of all clusters, 2 %

struct FreeCounts {
  std::uint64_t clusters = 0;
  std::uint64_t inodes = 0;
};

FreeCounts counts_in_superblock(const Superblock& superblock, std::uint32_t cluster_blocks) {
  const bool wide = has_incompat(superblock, incompat_64bit);
  return {
      joined(wide ? superblock.free_block_count_high.value() : 0, superblock.free_block_count_low) /
          cluster_blocks,
      superblock.free_inode_count};
}

FreeCounts free_counts(const Volume& volume) {
  const Geometry& geometry = volume.geometry();
  if (geometry.group_count > max_counted_groups) {
    // Not the copy from when it was opened: a writer may have changed it since.
    return counts_in_superblock(read_object<Superblock>(volume.disk(), superblock_offset),
                                geometry.cluster_blocks);
  }
  FreeCounts counts;
  for (std::uint32_t group = 0; group < geometry.group_count; ++group) {
    const GroupDescriptor descriptor = volume.group(group);
    counts.clusters +=
        std::uint64_t{descriptor.free_block_count_high} << 16 | descriptor.free_block_count_low;
    counts.inodes +=
        std::uint64_t{descriptor.free_inode_count_high} << 16 | descriptor.free_inode_count_low;
  }
  return counts;
}

std::uint64_t copies(const Volume& volume) {
  std::uint64_t count = 0;
  for (std::uint32_t group = 0; group < volume.geometry().group_count; ++group) {
    count += has_superblock_copy(volume.superblock(), group) ? 1 : 0;
  }
  return count;
}

// Descriptor blocks in all groups together, the reserved ones of each copy included.
std::uint64_t descriptor_blocks(const Volume& volume, std::uint64_t superblocks) {
  const Superblock& superblock = volume.superblock();
  const Geometry& geometry = volume.geometry();
  const std::uint64_t per_block = geometry.block_size / geometry.descriptor_size;
  const std::uint64_t table = divide_up(geometry.group_count, per_block);
  const std::uint64_t reserved = superblock.reserved_descriptor_blocks;
  if (!has_incompat(superblock, incompat_meta_bg)) {
    return superblocks * (table + reserved);
  }
  // A meta group has its one block in its first, second and last group.
  const std::uint64_t plain = std::min<std::uint64_t>(superblock.first_meta_group, table);
  std::uint64_t total = superblocks * (plain + reserved);
  for (std::uint64_t index = plain; index < table; ++index) {
    const std::uint64_t groups = std::min(per_block, geometry.group_count - index * per_block);
    total += std::min<std::uint64_t>(groups, 3);
  }
  return total;
}

std::uint64_t journal_clusters(const Volume& volume) {
  const Superblock& superblock = volume.superblock();
  if (!has_compat(superblock, compat_has_journal) || superblock.journal_inode == 0) {
    return 0;
  }
  const Inode journal = volume.inode(superblock.journal_inode);
  const std::uint64_t blocks = journal.size(superblock) >> volume.geometry().block_bits;
  return divide_up(blocks, volume.geometry().cluster_blocks);
}

// In clusters: everything that can never hold a file.  The superblock has it when the kernel wrote
// it there.
std::uint64_t overhead_clusters(const Volume& volume) {
  const Superblock& superblock = volume.superblock();
  const Geometry& geometry = volume.geometry();
  if (superblock.overhead_clusters != 0) {
    return superblock.overhead_clusters;
  }
  const std::uint64_t superblocks = copies(volume);
  const std::uint64_t per_block = geometry.block_size / geometry.inode_size;
  const std::uint64_t tables = divide_up(geometry.inodes_per_group, per_block);
  const std::uint64_t blocks = geometry.first_data_block + superblocks +
                               descriptor_blocks(volume, superblocks) +
                               geometry.group_count * (2 + tables);
  return divide_up(blocks, geometry.cluster_blocks) + journal_clusters(volume);
}

std::uint64_t minus(std::uint64_t a, std::uint64_t b) noexcept { return a > b ? a - b : 0; }

std::uint64_t reserved_blocks(const Superblock& superblock, const Geometry& geometry) {
  const bool wide = has_incompat(superblock, incompat_64bit);
  const std::uint64_t kept =
      has_incompat(superblock, incompat_extents)
          ? std::min(geometry.block_count / geometry.cluster_blocks / reserved_share,
                     max_reserved_clusters) *
                geometry.cluster_blocks
          : 0;
  return joined(wide ? superblock.reserved_block_count_high.value() : 0,
                superblock.reserved_block_count_low) +
         kept;
}

}  // namespace

FileSystemStatistics statistics_of(const Volume& volume, CountedBlocks counted) {
  const Geometry& geometry = volume.geometry();
  const FreeCounts free = free_counts(volume);
  const std::uint64_t overhead =
      counted == CountedBlocks::usable ? overhead_clusters(volume) * geometry.cluster_blocks : 0;
  FileSystemStatistics statistics;
  statistics.block_size = geometry.block_size;
  statistics.blocks = minus(geometry.block_count, overhead);
  statistics.blocks_free = std::min(free.clusters * geometry.cluster_blocks, statistics.blocks);
  statistics.blocks_available =
      minus(statistics.blocks_free, reserved_blocks(volume.superblock(), geometry));
  statistics.inodes = geometry.inode_count;
  statistics.inodes_free = std::min<std::uint64_t>(free.inodes, geometry.inode_count);
  return statistics;
}

}  // namespace vimg::ext4
