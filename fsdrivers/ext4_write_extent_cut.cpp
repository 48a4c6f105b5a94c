// ExtentTree: entries taken out.
#include <algorithm>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_blocks.h"
#include "fsdrivers/ext4_write_extent_tree.h"

namespace vimg::ext4 {

void ExtentTree::remove_entry(const ExtentPath& path, std::size_t level, std::size_t index) {
  const Bytes bytes = edit(path[level].block);
  auto changed = load<ExtentHeader>(bytes);
  std::copy(bytes.begin() + std::ptrdiff_t(entry_offset(index + 1)),
            bytes.begin() + std::ptrdiff_t(entry_offset(changed.entry_count)),
            bytes.begin() + std::ptrdiff_t(entry_offset(index)));
  changed.entry_count = std::uint16_t(changed.entry_count - 1);
  if (changed.entry_count == 0 && level == 0) {
    changed.depth = 0;
  }
  store(bytes, 0, changed);
  if (changed.entry_count == 0 && level > 0) {
    give_back_block(path[level].block);
    remove_entry(path, level - 1, path[level - 1].index);
  } else if (index == 0 && changed.entry_count > 0) {
    correct_keys(path, level);
  }
}

// Takes the entries of an only child into the root when they fit there.
void ExtentTree::shrink_root() {
  // The depth falls by one each round.
  while (header(in_inode).depth > 0 && header(in_inode).entry_count == 1) {
    auto root = header(in_inode);
    const std::uint64_t child = child_at(node(in_inode), 0);
    check_blocks(change_.layout(), child, 1);
    const ConstBytes bytes = node(child);
    validate(bytes, child, root.depth - 1U);
    const std::size_t count = load<ExtentHeader>(bytes).entry_count;
    if (count > capacity(in_inode)) {
      return;
    }
    std::copy_n(bytes.begin() + extent_header_size, count * extent_entry_size,
                inode_.raw.block_map.begin() + extent_header_size);
    root.depth = std::uint16_t(root.depth - 1);
    root.entry_count = std::uint16_t(count);
    store(Bytes(inode_.raw.block_map), 0, root);
    give_back_block(child);
  }
}

void ExtentTree::throw_moved(const MappedRun& run) const {
  throw_corrupt(
      layer, fmt::format("inode {}: extents overlap at block {:#x}", inode_.number, run.logical));
}

void ExtentTree::cut(const MappedRun& run) {
  const ExtentPath path = find(run.logical);
  const std::size_t level = path.size() - 1;
  // Extents that overlap may have changed what is found here since `run` was.
  if (path[level].index == 0) {
    throw_moved(run);
  }
  const std::size_t index = path[level].index - 1;
  const MappedRun whole = run_of(entry_at(node(path[level].block), index));
  if (whole.end() < run.end()) {
    throw_moved(run);
  }
  const std::uint64_t head = run.logical - whole.logical;
  const std::uint64_t tail = whole.end() - run.end();
  if (head == 0 && tail == 0) {
    remove_entry(path, level, index);
    shrink_root();
    return;
  }
  const MappedRun kept_tail{run.end(), whole.physical + head + run.length, tail, whole.state};
  if (head == 0) {
    set_entry(path, level, index, entry_of(kept_tail));
    return;
  }
  set_entry(path, level, index, entry_of({whole.logical, whole.physical, head, whole.state}));
  if (tail != 0) {
    insert(kept_tail);
  }
}

}  // namespace vimg::ext4
