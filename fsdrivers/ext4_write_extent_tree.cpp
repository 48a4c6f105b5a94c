#include "fsdrivers/ext4_write_extent_tree.h"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_blocks.h"

namespace vimg::ext4 {
namespace {

constexpr std::uint32_t max_unwritten_length = max_written_length - 1;

ExtentIndex index_entry(std::uint32_t key, std::uint64_t child) noexcept {
  return {key, std::uint32_t(child), std::uint16_t(child >> 32), std::uint16_t(0)};
}

}  // namespace

std::size_t entry_offset(std::size_t index) noexcept {
  return extent_header_size + index * extent_entry_size;
}

ExtentEntry entry_at(ConstBytes node, std::size_t index) noexcept {
  return load<ExtentEntry>(node, entry_offset(index));
}

std::uint32_t key_at(ConstBytes node, std::size_t index) noexcept {
  return load<le32>(node, entry_offset(index));
}

std::uint64_t child_at(ConstBytes node, std::size_t index) noexcept {
  const auto entry = load<ExtentIndex>(node, entry_offset(index));
  return joined(entry.child_high, entry.child_low);
}

MappedRun run_of(const ExtentEntry& entry) noexcept {
  const std::uint32_t length = entry.length;
  const bool written = length <= max_written_length;
  return {entry.first, joined(entry.start_high, entry.start_low),
          written ? length : length - max_written_length,
          written ? RunState::written : RunState::unwritten};
}

ExtentEntry entry_of(const MappedRun& run) noexcept {
  const std::uint64_t mark = run.state == RunState::unwritten ? max_written_length : 0;
  return {std::uint32_t(run.logical), std::uint16_t(run.length + mark),
          std::uint16_t(run.physical >> 32), std::uint32_t(run.physical)};
}

std::uint64_t longest_extent(RunState state) noexcept {
  return state == RunState::unwritten ? max_unwritten_length : max_written_length;
}

std::size_t ExtentTree::capacity(std::uint64_t block) const {
  const std::size_t size =
      block == in_inode ? block_map_size : std::size_t(change_.layout().block_size());
  return (size - extent_header_size) / extent_entry_size;
}

void ExtentTree::validate(ConstBytes bytes, std::uint64_t block, std::size_t depth) const {
  const auto found = load<ExtentHeader>(bytes);
  if (found.magic != extent_magic || found.depth != depth || found.max_entries > capacity(block) ||
      found.max_entries < capacity(in_inode) || found.entry_count > found.max_entries ||
      (depth > 0 && found.entry_count == 0)) {
    throw_corrupt(layer, fmt::format("inode {}: the extent node in block {:#x} is broken",
                                     inode_.number, block));
  }
}

// The depth falls by one each step, so this ends.
ExtentPath ExtentTree::find(std::uint64_t logical) {
  ExtentPath path;
  std::size_t depth = header(in_inode).depth;
  if (depth > max_extent_depth) {
    throw_corrupt(layer, fmt::format("inode {}: extent tree of depth {}", inode_.number, depth));
  }
  for (std::uint64_t block = in_inode;; --depth) {
    const ConstBytes bytes = node(block);
    validate(bytes, block, depth);
    std::size_t low = 0;
    std::size_t high = load<ExtentHeader>(bytes).entry_count;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      (key_at(bytes, middle) <= logical ? low : high) =
          key_at(bytes, middle) <= logical ? middle + 1 : middle;
    }
    if (depth == 0) {
      path.push_back({block, low});
      return path;
    }
    path.push_back({block, low == 0 ? 0 : low - 1});
    block = child_at(bytes, path.back().index);
    check_blocks(change_.layout(), block, 1);
  }
}

std::uint64_t ExtentTree::next_key(const ExtentPath& path) {
  for (std::size_t level = path.size(); level-- > 0;) {
    const std::size_t next = path[level].index + (level + 1 < path.size() ? 1 : 0);
    if (next < header(path[level].block).entry_count) {
      return key_at(node(path[level].block), next);
    }
  }
  return std::uint64_t(1) << 32;
}

void ExtentTree::correct_keys(const ExtentPath& path, std::size_t level) {
  // The key of a node is that of its first entry, all the way up.
  for (; level > 0; --level) {
    const std::uint32_t key = key_at(node(path[level].block), 0);
    const ExtentStep& parent = path[level - 1];
    store(edit(parent.block), entry_offset(parent.index), le32(key));
    if (parent.index != 0) {
      return;
    }
  }
}

void ExtentTree::set_entry(const ExtentPath& path, std::size_t level, std::size_t index,
                           const ExtentEntry& entry) {
  store(edit(path[level].block), entry_offset(index), entry);
  if (index == 0) {
    correct_keys(path, level);
  }
}

void ExtentTree::insert_entry(std::uint64_t block, std::size_t index, ConstBytes entry) {
  const Bytes bytes = edit(block);
  auto changed = load<ExtentHeader>(bytes);
  const auto start = bytes.begin() + std::ptrdiff_t(entry_offset(index));
  const auto end = bytes.begin() + std::ptrdiff_t(entry_offset(changed.entry_count));
  std::copy_backward(start, end, end + extent_entry_size);
  std::copy(entry.begin(), entry.end(), start);
  changed.entry_count = std::uint16_t(changed.entry_count + 1);
  store(bytes, 0, changed);
}

bool ExtentTree::try_join(const ExtentPath& path, const MappedRun& run) {
  const std::size_t level = path.size() - 1;
  const std::size_t after = path[level].index;
  const ConstBytes leaf = node(path[level].block);
  if (after > 0) {
    MappedRun left = run_of(entry_at(leaf, after - 1));
    if (left.end() == run.logical && left.physical + left.length == run.physical &&
        left.state == run.state && left.length + run.length <= longest_extent(run.state)) {
      left.length += run.length;
      set_entry(path, level, after - 1, entry_of(left));
      return true;
    }
  }
  if (after < load<ExtentHeader>(leaf).entry_count) {
    MappedRun right = run_of(entry_at(leaf, after));
    if (run.end() == right.logical && run.physical + run.length == right.physical &&
        right.state == run.state && right.length + run.length <= longest_extent(run.state)) {
      right = {run.logical, run.physical, right.length + run.length, run.state};
      set_entry(path, level, after, entry_of(right));
      return true;
    }
  }
  return false;
}

void ExtentTree::insert(const MappedRun& run) {
  // Each round without room makes some on the way; a tree has at most max_extent_depth levels.
  while (true) {
    const ExtentPath path = find(run.logical);
    if (try_join(path, run)) {
      return;
    }
    const ExtentStep& leaf = path.back();
    const ExtentHeader found = header(leaf.block);
    if (found.entry_count < found.max_entries) {
      const ExtentEntry entry = entry_of(run);
      insert_entry(leaf.block, leaf.index, bytes_of(entry));
      if (leaf.index == 0) {
        correct_keys(path, path.size() - 1);
      }
      return;
    }
    make_room(path);
  }
}

void ExtentTree::make_room(const ExtentPath& path) {
  for (std::size_t level = path.size() - 1; level-- > 0;) {
    const ExtentHeader found = header(path[level].block);
    if (found.entry_count < found.max_entries) {
      split(path, level + 1);
      return;
    }
  }
  grow_root();
}

void ExtentTree::grow_root() {
  auto root = header(in_inode);
  if (root.depth >= max_extent_depth) {
    throw_error(EFBIG, layer, fmt::format("inode {}: too many extents", inode_.number));
  }
  const std::uint64_t block = take_block();
  const Bytes bytes = change_.create(block, seal());
  std::copy(inode_.raw.block_map.begin(), inode_.raw.block_map.end(), bytes.begin());
  auto copy = root;
  copy.max_entries = std::uint16_t(capacity(block));
  store(bytes, 0, copy);
  const ExtentIndex entry = index_entry(root.entry_count == 0 ? 0 : key_at(bytes, 0), block);
  root.depth = std::uint16_t(root.depth + 1);
  root.entry_count = 1;
  store(Bytes(inode_.raw.block_map), 0, root);
  store(Bytes(inode_.raw.block_map), extent_header_size, entry);
}

// Moves the upper part of the node at `level` into a new one.  Files mostly grow at their end: then
// only the last entry moves, so that nodes stay full.
void ExtentTree::split(const ExtentPath& path, std::size_t level) {
  const std::uint64_t new_block = take_block();
  const ExtentStep& step = path[level];
  const Bytes old_bytes = edit(step.block);
  auto old_header = load<ExtentHeader>(old_bytes);
  const std::size_t count = old_header.entry_count;
  const bool at_end = step.index + 1 >= count;
  const std::size_t keep = std::max<std::size_t>(at_end ? count - 1 : count / 2, 1);
  const Bytes new_bytes = change_.create(new_block, seal());
  std::copy(old_bytes.begin() + std::ptrdiff_t(entry_offset(keep)),
            old_bytes.begin() + std::ptrdiff_t(entry_offset(count)),
            new_bytes.begin() + std::ptrdiff_t(extent_header_size));
  auto new_header = old_header;
  new_header.max_entries = std::uint16_t(capacity(new_block));
  new_header.entry_count = std::uint16_t(count - keep);
  store(new_bytes, 0, new_header);
  old_header.entry_count = std::uint16_t(keep);
  store(old_bytes, 0, old_header);
  const ExtentIndex entry = index_entry(key_at(new_bytes, 0), new_block);
  insert_entry(path[level - 1].block, path[level - 1].index + 1, bytes_of(entry));
}

std::uint64_t ExtentTree::take_block() {
  const Layout& layout = change_.layout();
  const std::uint64_t goal = layout.first_block(layout.group_of_inode(inode_.number));
  const BlockRun run = allocate_blocks(change_, goal, GoalKind::nearby, 1);
  add_blocks(layout, inode_, run.count);
  return run.first;
}

void ExtentTree::give_back_block(std::uint64_t block) {
  const Layout& layout = change_.layout();
  change_.forget(block);
  free_blocks(change_, block, layout.blocks_per_cluster());
  subtract_blocks(layout, inode_, layout.blocks_per_cluster());
}

}  // namespace vimg::ext4
