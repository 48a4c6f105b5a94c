#include "fsdrivers/ext4_write_blocks.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_bitmap.h"

namespace vimg::ext4 {
namespace {

// A shorter free run is taken only when no group has a longer one.
constexpr std::uint64_t good_run = 256;

struct ClusterRun {
  std::size_t first;
  std::size_t count;
};

std::uint32_t free_clusters_of(const GroupDescriptor& group) noexcept {
  return std::uint32_t(group.free_block_count_high) << 16 | group.free_block_count_low;
}

void set_free_clusters(GroupDescriptor& group, std::uint32_t count) noexcept {
  group.free_block_count_low = std::uint16_t(count);
  group.free_block_count_high = std::uint16_t(count >> 16);
}

// The superblock counts blocks where group descriptors count clusters.
void set_free_clusters(Change& change, std::uint64_t clusters) {
  const std::uint64_t blocks = clusters << change.layout().cluster_bits;
  Superblock& super = change.edit_super();
  super.free_block_count_low = std::uint32_t(blocks);
  if (change.layout().has_incompat(incompat_64bit)) {
    super.free_block_count_high = std::uint32_t(blocks >> 32);
  }
}

std::uint64_t free_clusters(Change& change) {
  const Superblock& super = change.super();
  const std::uint32_t high =
      change.layout().has_incompat(incompat_64bit) ? super.free_block_count_high.value() : 0;
  return joined(high, super.free_block_count_low) >> change.layout().cluster_bits;
}

// Marks the clusters of `group` that [first, first + count) covers; the rest lies elsewhere.
void mark_blocks(const Layout& fs, std::uint32_t group, Bytes bits, std::uint64_t first,
                 std::uint64_t count) {
  const std::uint64_t start = std::max(first, fs.first_block(group));
  const std::uint64_t end = std::min(first + count, fs.first_block(group) + fs.blocks_in(group));
  for (std::uint64_t block = start; block < end; ++block) {
    set_bits(bits, (block - fs.first_block(group)) >> fs.cluster_bits, 1);
  }
}

// The bitmap of a group whose descriptor says that it was never written: only the group's own
// metadata is in use.
void build_bitmap(Change& change, std::uint32_t group, const GroupDescriptor& descriptor,
                  Bytes bits) {
  const Layout& fs = change.layout();
  std::fill(bits.begin(), bits.end(), std::byte(0));
  mark_blocks(fs, group, bits, fs.first_block(group), fs.base_metadata_blocks(group));
  mark_blocks(fs, group, bits, block_bitmap_of(descriptor), 1);
  mark_blocks(fs, group, bits, inode_bitmap_of(descriptor), 1);
  mark_blocks(fs, group, bits, inode_table_of(descriptor),
              divide_up(fs.inodes_per_group, fs.inodes_per_block()));
  const std::uint32_t clusters = fs.clusters_in(group);
  set_bits(bits, clusters, bits.size() * 8 - clusters);
}

void check_bitmap(const Layout& fs, std::uint32_t group, const GroupDescriptor& descriptor,
                  ConstBytes bits) {
  if (fs.has_metadata_checksums()) {
    const std::uint32_t checksum = crc32c(fs.checksum_seed, bits.first(fs.clusters_per_group / 8));
    const bool has_high = fs.descriptor_size >= sizeof(GroupDescriptor);
    if (descriptor.block_bitmap_checksum_low != std::uint16_t(checksum) ||
        (has_high && descriptor.block_bitmap_checksum_high != std::uint16_t(checksum >> 16))) {
      throw_corrupt(layer, fmt::format("the checksum of group {}'s block bitmap is wrong", group));
    }
  }
  const std::size_t clusters = fs.clusters_in(group);
  if (clusters - count_set(bits, clusters) != free_clusters_of(descriptor)) {
    throw_corrupt(layer,
                  fmt::format("group {} counts {} free clusters, its bitmap has {}", group,
                              free_clusters_of(descriptor), clusters - count_set(bits, clusters)));
  }
}

// The bitmap of `group`, ready to be read; on disk and checked from now on.
ConstBytes load_bitmap(Change& change, std::uint32_t group, GroupDescriptor& descriptor) {
  const std::uint64_t block = block_bitmap_of(descriptor);
  if (change.layout().has_group_checksums() && (descriptor.flags & group_blocks_unused) != 0) {
    change.create(block);
    build_bitmap(change, group, descriptor, change.edit_block_bitmap(group, block));
    descriptor.flags = std::uint16_t(descriptor.flags & ~group_blocks_unused);
    const std::size_t clusters = change.layout().clusters_in(group);
    const std::size_t used = count_set(change.read(block), clusters);
    if (clusters - used != free_clusters_of(descriptor)) {
      throw_corrupt(layer, fmt::format("group {} counts {} free clusters, but {} must be", group,
                                       free_clusters_of(descriptor), clusters - used));
    }
    change.set_descriptor(group, descriptor);
    // Its checksum is made at commit(), but this change may look at it again before.
    change.volume().checked_block_bitmaps.insert(group);
    return change.read(block);
  }
  const ConstBytes bits = change.read(block);
  if (change.volume().checked_block_bitmaps.insert(group).second) {
    try {
      check_bitmap(change.layout(), group, descriptor, bits);
    } catch (...) {
      change.volume().checked_block_bitmaps.erase(group);
      throw;
    }
  }
  return bits;
}

// The first free run of `wanted` clusters from `from`, around the end; else the longest there is.
ClusterRun best_run(ConstBytes bits, std::size_t from, std::size_t clusters, std::size_t wanted) {
  ClusterRun best{0, 0};
  const auto scan = [&](std::size_t begin, std::size_t end) {
    while (best.count < wanted) {
      const std::size_t first = find_clear(bits, begin, end);
      if (first >= end) {
        return;
      }
      const std::size_t stop = find_set(bits, first, std::min(clusters, first + wanted));
      if (stop - first > best.count) {
        best = {first, stop - first};
      }
      begin = stop + 1;
    }
  };
  scan(from, clusters);
  scan(0, std::min(from, clusters));
  return best;
}

BlockRun take(Change& change, std::uint32_t group, GroupDescriptor descriptor, ClusterRun run) {
  const Layout& fs = change.layout();
  const std::uint32_t free = free_clusters_of(descriptor);
  const std::uint64_t total = free_clusters(change);
  if (free < run.count || total < run.count) {
    throw_corrupt(layer, fmt::format("group {} has more free clusters than are counted", group));
  }
  set_bits(change.edit_block_bitmap(group, block_bitmap_of(descriptor)), run.first, run.count);
  set_free_clusters(descriptor, std::uint32_t(free - run.count));
  change.set_descriptor(group, descriptor);
  set_free_clusters(change, total - run.count);
  change.volume().hints.next_cluster[group] = std::uint32_t(run.first + run.count);
  return {fs.first_block(group) + (std::uint64_t(run.first) << fs.cluster_bits),
          std::uint64_t(run.count) << fs.cluster_bits};
}

std::optional<BlockRun> allocate_at(Change& change, std::uint64_t goal, std::uint64_t clusters) {
  const Layout& fs = change.layout();
  const std::uint32_t group = fs.group_of_block(goal);
  GroupDescriptor descriptor = change.descriptor(group);
  if (free_clusters_of(descriptor) == 0) {
    return std::nullopt;
  }
  const ConstBytes bits = load_bitmap(change, group, descriptor);
  const std::size_t first = std::size_t(goal - fs.first_block(group)) >> fs.cluster_bits;
  const std::size_t limit =
      std::size_t(std::min<std::uint64_t>(fs.clusters_in(group), first + clusters));
  const std::size_t stop = find_set(bits, first, limit);
  if (stop == first) {
    return std::nullopt;
  }
  return take(change, group, descriptor, {first, stop - first});
}

std::optional<BlockRun> allocate_in(Change& change, std::uint32_t group, std::size_t from,
                                    std::uint64_t needed, std::uint64_t wanted) {
  GroupDescriptor descriptor = change.descriptor(group);
  if (free_clusters_of(descriptor) < needed) {
    return std::nullopt;
  }
  auto& longest_run = change.volume().hints.longest_run;
  const auto longest = longest_run.find(group);
  if (longest != longest_run.end() && longest->second < needed) {
    return std::nullopt;
  }
  const ConstBytes bits = load_bitmap(change, group, descriptor);
  const std::size_t clusters = change.layout().clusters_in(group);
  const ClusterRun run =
      best_run(bits, from, clusters, std::size_t(std::min<std::uint64_t>(wanted, clusters)));
  if (run.count < wanted) {
    longest_run[group] = std::uint32_t(run.count);
  }
  if (run.count < needed) {
    return std::nullopt;
  }
  return take(change, group, descriptor, run);
}

std::optional<BlockRun> search(Change& change, std::uint64_t goal, std::uint64_t needed,
                               std::uint64_t wanted) {
  const Layout& fs = change.layout();
  const std::uint32_t start = fs.group_of_block(goal);
  const auto& next = change.volume().hints.next_cluster;
  for (std::uint32_t step = 0; step < fs.group_count; ++step) {
    const std::uint32_t group = (start + step) % fs.group_count;
    const auto hint = next.find(group);
    const std::size_t from = hint == next.end() ? 0 : hint->second;
    if (const auto run = allocate_in(change, group, from, needed, wanted)) {
      return run;
    }
  }
  return std::nullopt;
}

}  // namespace

BlockRun allocate_blocks(Change& change, std::uint64_t goal, GoalKind kind,
                         std::uint64_t clusters) {
  const Layout& fs = change.layout();
  if (goal < fs.first_data_block || goal >= fs.block_count) {
    goal = fs.first_data_block;
  }
  if (free_clusters(change) == 0) {
    throw_error(ENOSPC, layer, "no free blocks");
  }
  if (kind == GoalKind::exact) {
    if (const auto run = allocate_at(change, goal, clusters)) {
      return *run;
    }
  }
  if (const auto run = search(change, goal, std::min(clusters, good_run), clusters)) {
    return *run;
  }
  if (const auto run = search(change, goal, 1, clusters)) {
    return *run;
  }
  throw_error(ENOSPC, layer, "no free blocks");
}

void check_blocks(const Layout& layout, std::uint64_t first, std::uint64_t count) {
  if (first <= layout.superblock_block() || !fits(first, count, layout.block_count)) {
    throw_corrupt(layer,
                  fmt::format("blocks {:#x} (+{:#x}) lie outside the file system", first, count));
  }
}

void free_blocks(Change& change, std::uint64_t first, std::uint64_t count) {
  const Layout& fs = change.layout();
  check_blocks(fs, first, count);
  const std::uint64_t end = first + count;
  first = fs.first_data_block + round_down(first - fs.first_data_block, fs.blocks_per_cluster());
  // Each round ends a group, and there are finitely many.
  while (first < end) {
    const std::uint32_t group = fs.group_of_block(first);
    const std::uint64_t stop = std::min(end, fs.first_block(group) + fs.blocks_in(group));
    const std::size_t bit = std::size_t(first - fs.first_block(group)) >> fs.cluster_bits;
    const std::size_t clusters = divide_up(stop - first, fs.blocks_per_cluster());
    GroupDescriptor descriptor = change.descriptor(group);
    const ConstBytes bits = load_bitmap(change, group, descriptor);
    if (find_clear(bits, bit, bit + clusters) != bit + clusters) {
      throw_corrupt(layer, fmt::format("blocks {:#x} (+{:#x}) are freed but not in use", first,
                                       stop - first));
    }
    clear_bits(change.edit_block_bitmap(group, block_bitmap_of(descriptor)), bit, clusters);
    set_free_clusters(descriptor, std::uint32_t(free_clusters_of(descriptor) + clusters));
    change.set_descriptor(group, descriptor);
    set_free_clusters(change, free_clusters(change) + clusters);
    change.volume().hints.longest_run.erase(group);
    first = stop;
  }
}

}  // namespace vimg::ext4
