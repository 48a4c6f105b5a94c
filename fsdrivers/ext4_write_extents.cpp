#include "fsdrivers/ext4_write_extents.h"

#include <algorithm>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_blocks.h"
#include "fsdrivers/ext4_write_extent_tree.h"

namespace vimg::ext4 {

void make_extent_tree(InodeRecord& inode) noexcept {
  constexpr std::uint16_t room = (block_map_size - extent_header_size) / extent_entry_size;
  inode.raw.block_map.fill(std::byte(0));
  store(Bytes(inode.raw.block_map), 0,
        ExtentHeader{extent_magic, std::uint16_t(0), room, std::uint16_t(0), 0U});
  inode.set_flag(inode_extents);
}

MappedRun find_extent(Change& change, const InodeRecord& inode, std::uint64_t logical,
                      std::uint64_t end) {
  InodeRecord copy{inode.number, inode.raw, {}};
  ExtentTree tree(change, copy);
  const ExtentPath path = tree.find(logical);
  const ExtentStep& leaf = path.back();
  if (leaf.index > 0) {
    MappedRun run = run_of(entry_at(tree.node(leaf.block), leaf.index - 1));
    check_blocks(change.layout(), run.physical, run.length);
    if (run.length != 0 && run.end() > logical) {
      const std::uint64_t skipped = logical - run.logical;
      return {logical, run.physical + skipped, std::min(run.end(), end) - logical, run.state};
    }
  }
  const std::uint64_t next = tree.next_key(path);
  if (next <= logical) {
    throw_corrupt(
        layer, fmt::format("inode {}: extents out of order at block {:#x}", inode.number, logical));
  }
  return {logical, 0, std::min(next, end) - logical, RunState::hole};
}

void insert_extent(Change& change, InodeRecord& inode, const MappedRun& run) {
  ExtentTree tree(change, inode);
  MappedRun rest = run;
  while (rest.length > 0) {
    const std::uint64_t count = std::min(rest.length, longest_extent(run.state));
    tree.insert({rest.logical, rest.physical, count, run.state});
    rest.logical += count;
    rest.physical += count;
    rest.length -= count;
  }
}

void cut_extent(Change& change, InodeRecord& inode, const MappedRun& run) {
  ExtentTree(change, inode).cut(run);
}

}  // namespace vimg::ext4
