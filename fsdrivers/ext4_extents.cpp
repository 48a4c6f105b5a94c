#include <string>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/ext4_map.h"

namespace vimg::ext4 {
namespace {

// One node of the tree: a header, then entries of 12 bytes each.
struct Node {
  ConstBytes bytes;
  ExtentHeader header;
  std::uint64_t first;  // what the parent says the node is about: logical blocks from `first`
  std::uint64_t end;    // to `end`

  template <typename Entry>
  Entry entry(std::size_t index) const {
    return load<Entry>(bytes, sizeof(ExtentHeader) + index * sizeof(Entry));
  }
};

[[noreturn]] void throw_node(const Inode& inode, const Node& node, const std::string& message) {
  throw_corrupt(layer, fmt::format("inode {}: extent node for blocks {:#x} to {:#x}: {}",
                                   inode.number(), node.first, node.end, message));
}

Node make_node(const Inode& inode, ConstBytes bytes, std::uint64_t first, std::uint64_t end) {
  const Node node{bytes, load<ExtentHeader>(bytes), first, end};
  const std::size_t capacity = (bytes.size() - sizeof(ExtentHeader)) / sizeof(ExtentEntry);
  if (node.header.magic != extent_magic) {
    throw_node(
        inode, node,
        fmt::format("magic is {:#06x}, expected {:#06x}", node.header.magic.value(), extent_magic));
  }
  if (node.header.max_entries > capacity || node.header.entry_count > node.header.max_entries) {
    throw_node(inode, node,
               fmt::format("{} entries of {}, where {} fit", node.header.entry_count.value(),
                           node.header.max_entries.value(), capacity));
  }
  return node;
}

// The checksum lies behind the room for max_entries.
void check_checksum(const Inode& inode, const Node& node) {
  const std::size_t covered =
      sizeof(ExtentHeader) + std::size_t{node.header.max_entries} * sizeof(ExtentEntry);
  if (!fits(covered, sizeof(le32), node.bytes.size())) {
    throw_node(inode, node, "no room for the checksum");
  }
  const std::uint32_t found = load<le32>(node.bytes, covered);
  const std::uint32_t expected = crc32c(inode.checksum_seed(), node.bytes.first(covered));
  if (found != expected) {
    throw_node(inode, node,
               fmt::format("checksum is {:#010x}, expected {:#010x}", found, expected));
  }
}

// The child of `node` that `logical` lies in, or the hole before the first child.
struct Child {
  std::uint64_t block;  // 0 = hole
  std::uint64_t first;
  std::uint64_t end;
};

Child child_at(const Inode& inode, const Node& node, std::uint64_t logical) {
  Child child{0, node.first, node.end};
  std::uint64_t least = node.first;  // entries ascend, and lie inside of what the node is about
  for (std::size_t i = 0; i < node.header.entry_count; ++i) {
    const auto index = node.entry<ExtentIndex>(i);
    if (index.first < least || index.first >= node.end) {
      throw_node(inode, node,
                 fmt::format("index {} begins at block {:#x}, expected {:#x} or more", i,
                             index.first.value(), least));
    }
    least = std::uint64_t{index.first} + 1;
    if (index.first > logical) {
      child.end = index.first;
      break;
    }
    child = {joined(index.child_high, index.child_low), index.first, node.end};
  }
  return child;
}

Run run_of(const ExtentEntry& extent) noexcept {
  const bool written = extent.length <= max_written_length;
  const std::uint32_t count = extent.length - (written ? 0U : max_written_length);
  return {extent.first, joined(extent.start_high, extent.start_low), count,
          written ? Run::Kind::written : Run::Kind::unwritten};
}

void append(std::vector<Run>& runs, const Run& run) {
  if (!runs.empty()) {
    Run& last = runs.back();
    if (last.kind == run.kind && last.logical + last.count == run.logical &&
        last.physical + last.count == run.physical) {
      last.count += run.count;
      return;
    }
  }
  runs.push_back(run);
}

MapWindow read_leaf(const Volume& volume, const Inode& inode, const Node& node) {
  MapWindow window{node.first, node.end, {}};
  std::uint64_t least = node.first;
  for (std::size_t i = 0; i < node.header.entry_count; ++i) {
    const Run run = run_of(node.entry<ExtentEntry>(i));
    if (run.count == 0 || run.logical < least || !fits(run.logical, run.count, node.end)) {
      throw_node(inode, node,
                 fmt::format("extent {} covers block {:#x} (+{:#x}), expected {:#x} or more", i,
                             run.logical, run.count, least));
    }
    if (!volume.contains(run.physical, run.count)) {
      volume.throw_outside(run.physical, run.count,
                           fmt::format("inode {}: extent", inode.number()));
    }
    least = run.logical + run.count;
    append(window.runs, run);
  }
  return window;
}

}  // namespace

// The depth falls by one with every step, so a tree that loops ends like any other.
MapWindow read_extent_window(const Volume& volume, const Inode& inode, std::uint64_t logical) {
  Node node = make_node(inode, inode.raw().block_map, 0, end_of_blocks);
  if (node.header.depth > max_extent_depth) {
    throw_node(inode, node,
               fmt::format("depth is {}, expected {} or less", node.header.depth.value(),
                           max_extent_depth));
  }
  BlockCache::Block block;
  while (node.header.depth > 0) {
    const Child child = child_at(inode, node, logical);
    if (child.block == 0) {
      return {child.first, child.end, {}};
    }
    const auto verify = [&](ConstBytes bytes) {
      const Node read = make_node(inode, bytes, child.first, child.end);
      if (volume.has_checksums()) {
        check_checksum(inode, read);
      }
    };
    block = volume.metadata(child.block, "extent node", verify);
    const Node next = make_node(inode, *block, child.first, child.end);
    if (next.header.depth != node.header.depth - 1) {
      throw_node(inode, next,
                 fmt::format("depth is {}, expected {}", next.header.depth.value(),
                             node.header.depth - 1));
    }
    node = next;
  }
  return read_leaf(volume, inode, node);
}

}  // namespace vimg::ext4
