#include "fsdrivers/ext4_block_walk.h"

#include <optional>
#include <unordered_set>
#include <vector>

#include "disk/checked.h"
#include "fsdrivers/ext4_format.h"

namespace vimg {
namespace {

constexpr std::size_t entry_size = sizeof(ext4::ExtentEntry);
constexpr std::uint64_t logical_end = 1ULL << 32;
constexpr std::size_t pointer_count = 15;
constexpr std::size_t direct_pointers = 12;  // then one each of 1, 2 and 3 levels of tables

using ext4::ExtentEntry;
using ext4::ExtentHeader;
using ext4::ExtentIndex;

class BlockMapWalker {
 public:
  BlockMapWalker(const BlockSpace& space, const std::function<bool(const MappedRun&)>& visit)
      : space_(space), visit_(visit) {}

  WalkEnd walk_extents(ConstBytes root);
  WalkEnd walk_pointers(ConstBytes i_block);

 private:
  WalkEnd walk_node(ConstBytes node, std::uint16_t depth);
  WalkEnd walk_entry(ConstBytes entry, std::uint16_t depth);
  WalkEnd walk_extent(const ExtentEntry& extent);
  WalkEnd walk_table(std::uint64_t block, int levels);
  WalkEnd visit(const MappedRun& run);
  std::optional<std::vector<std::byte>> read_map_block(std::uint64_t block);

  BlockSpace space_;
  const std::function<bool(const MappedRun&)>& visit_;
  std::uint64_t logical_ = 0;  // all before it was visited
  std::unordered_set<std::uint64_t> map_blocks_;
};

WalkEnd BlockMapWalker::walk_extents(ConstBytes root) {
  const auto header = load<ExtentHeader>(root);
  if (header.depth > ext4::max_extent_depth) {
    return WalkEnd::damaged;
  }
  const bool empty =
      header.magic == ext4::extent_magic && header.entry_count == 0 && header.depth == 0;
  return empty ? WalkEnd::complete : walk_node(root, header.depth);
}

// Ends: `depth` falls with every level, and no block is read as a part of the map twice.
WalkEnd BlockMapWalker::walk_node(ConstBytes node, std::uint16_t depth) {
  const auto header = load<ExtentHeader>(node);
  const std::size_t room = node.size() / entry_size - 1;
  if (header.magic != ext4::extent_magic || header.depth != depth || header.entry_count == 0 ||
      header.entry_count > room) {
    return WalkEnd::damaged;
  }
  for (std::size_t index = 1; index <= header.entry_count; ++index) {
    const WalkEnd end = walk_entry(node.subspan(index * entry_size), depth);
    if (end != WalkEnd::complete) {
      return end;
    }
  }
  return WalkEnd::complete;
}

WalkEnd BlockMapWalker::walk_entry(ConstBytes entry, std::uint16_t depth) {
  if (depth == 0) {
    return walk_extent(load<ExtentEntry>(entry));
  }
  const auto index = load<ExtentIndex>(entry);
  const std::uint64_t block = std::uint64_t(index.child_high) << 32 | index.child_low;
  const auto node = read_map_block(block);
  if (!node) {
    return WalkEnd::damaged;
  }
  const WalkEnd end = visit({0, block, 1, MappedAs::map});
  return end == WalkEnd::complete ? walk_node(*node, std::uint16_t(depth - 1)) : end;
}

WalkEnd BlockMapWalker::walk_extent(const ExtentEntry& extent) {
  const bool unwritten = extent.length > ext4::max_written_length;
  const std::uint64_t length = extent.length - (unwritten ? ext4::max_written_length : 0);
  if (extent.first < logical_ || length == 0) {
    return WalkEnd::damaged;
  }
  const std::uint64_t start = std::uint64_t(extent.start_high) << 32 | extent.start_low;
  logical_ = extent.first + length;
  return visit({extent.first, start, length, unwritten ? MappedAs::unwritten : MappedAs::data});
}

WalkEnd BlockMapWalker::walk_pointers(ConstBytes i_block) {
  for (std::size_t index = 0; index < pointer_count; ++index) {
    const std::uint32_t block = load<le32>(i_block, index * sizeof(le32));
    const int levels = index < direct_pointers ? 0 : int(index - direct_pointers) + 1;
    const WalkEnd end = walk_table(block, levels);
    if (end != WalkEnd::complete) {
      return end;
    }
  }
  return WalkEnd::complete;
}

// Ends: at most 3 levels, and no block is read as a part of the map twice.
WalkEnd BlockMapWalker::walk_table(std::uint64_t block, int levels) {
  const std::uint64_t per_table = space_.block_size / sizeof(le32);
  if (block == 0) {
    std::uint64_t span = 1;
    for (int level = 0; level < levels; ++level) {
      span *= per_table;
    }
    logical_ += span;
    return WalkEnd::complete;
  }
  if (levels == 0) {
    return visit({logical_++, block, 1, MappedAs::data});
  }
  const auto table = read_map_block(block);
  if (!table) {
    return WalkEnd::damaged;
  }
  WalkEnd end = visit({0, block, 1, MappedAs::map});
  for (std::size_t index = 0; index < per_table && end == WalkEnd::complete; ++index) {
    end = walk_table(load<le32>(*table, index * sizeof(le32)), levels - 1);
  }
  return end;
}

WalkEnd BlockMapWalker::visit(const MappedRun& run) {
  if (run.disk < space_.begin || !fits(run.disk, run.length, space_.end) ||
      !fits(run.logical, run.length, logical_end)) {
    return WalkEnd::damaged;
  }
  return visit_(run) ? WalkEnd::complete : WalkEnd::stopped;
}

std::optional<std::vector<std::byte>> BlockMapWalker::read_map_block(std::uint64_t block) {
  if (block < space_.begin || block >= space_.end || !map_blocks_.insert(block).second) {
    return std::nullopt;
  }
  std::vector<std::byte> content(space_.block_size);
  space_.disk.read(block * space_.block_size, content);
  return content;
}

}  // namespace

WalkEnd walk_block_map(const BlockSpace& space, BlockMapKind kind, ConstBytes i_block,
                       const std::function<bool(const MappedRun&)>& visit) {
  BlockMapWalker walker(space, visit);
  return kind == BlockMapKind::extents ? walker.walk_extents(i_block)
                                       : walker.walk_pointers(i_block);
}

bool looks_like_extents(ConstBytes i_block) noexcept {
  return load<le16>(i_block) == ext4::extent_magic;
}

}  // namespace vimg
