#include <algorithm>
#include <array>

#include "disk/checked.h"
#include "fsdrivers/ext4_journal.h"

namespace vimg {
namespace {

constexpr std::uint16_t extent_magic = 0xF30A;
constexpr std::uint16_t max_extent_depth = 5;
constexpr std::uint16_t max_extent_length = 32768;  // above it, blocks that were never written
constexpr std::size_t extent_entry_size = 12;
constexpr std::size_t direct_pointers = 12;
// A journal of 1 GiB in single blocks of 1 KiB; real ones have a handful of runs.
constexpr std::size_t max_runs = 1U << 20;

// Spec: linux Documentation/filesystems/ext4/ifork.rst.
struct ExtentHeader {
  le16 magic;
  le16 entries;
  le16 max;
  le16 depth;  // 0 = the entries are extents, else nodes
  le32 generation;
};
static_assert(sizeof(ExtentHeader) == extent_entry_size && OnDisk<ExtentHeader>);

struct ExtentEntry {
  le32 logical;
  le16 length;
  le16 start_high;
  le32 start_low;
};
static_assert(sizeof(ExtentEntry) == extent_entry_size && OnDisk<ExtentEntry>);

struct ExtentIndex {
  le32 logical;
  le32 node_low;
  le16 node_high;
  le16 unused;
};
static_assert(sizeof(ExtentIndex) == extent_entry_size && OnDisk<ExtentIndex>);

// Collects the runs in the order of the journal.  Every function answers whether the map is sound
// so far.
class JournalMapper {
 public:
  JournalMapper(const BlockSpace& space, std::uint64_t count) : space_(space), count_(count) {}

  bool map_extents(ConstBytes node, std::uint16_t depth);
  bool map_pointers(ConstBytes i_block);
  std::optional<JournalBlocks> finish();

 private:
  bool full() const noexcept { return mapped_ == count_; }
  bool map_entry(ConstBytes entry, std::uint16_t depth);
  bool map_extent(const ExtentEntry& extent);
  bool map_tree(std::uint64_t block, int levels);
  bool append(std::uint64_t block, std::uint64_t length);
  std::optional<std::vector<std::byte>> read_block(std::uint64_t block) const;

  BlockSpace space_;
  std::uint64_t count_;
  std::uint64_t mapped_ = 0;
  std::vector<JournalBlocks::Run> runs_;
};

// Ends: `depth` falls with every level, and every leaf adds at least one block to what is mapped.
bool JournalMapper::map_extents(ConstBytes node, std::uint16_t depth) {
  const auto header = load<ExtentHeader>(node);
  const std::size_t room = node.size() / extent_entry_size - 1;
  if (header.magic != extent_magic || header.depth != depth || header.entries == 0 ||
      header.entries > room) {
    return false;
  }
  for (std::size_t index = 1; index <= header.entries && !full(); ++index) {
    if (!map_entry(node.subspan(index * extent_entry_size), depth)) {
      return false;
    }
  }
  return true;
}

bool JournalMapper::map_entry(ConstBytes entry, std::uint16_t depth) {
  if (depth == 0) {
    return map_extent(load<ExtentEntry>(entry));
  }
  const auto index = load<ExtentIndex>(entry);
  const auto node = read_block(std::uint64_t(index.node_high) << 32 | index.node_low);
  return node && map_extents(*node, std::uint16_t(depth - 1));
}

bool JournalMapper::map_extent(const ExtentEntry& extent) {
  if (extent.logical != mapped_ || extent.length == 0 || extent.length > max_extent_length) {
    return false;
  }
  return append(std::uint64_t(extent.start_high) << 32 | extent.start_low, extent.length);
}

bool JournalMapper::map_pointers(ConstBytes i_block) {
  for (std::size_t index = 0; index < 15 && !full(); ++index) {
    const std::uint32_t block = load<le32>(i_block, index * sizeof(le32));
    const int levels = index < direct_pointers ? 0 : int(index - direct_pointers) + 1;
    if (!map_tree(block, levels)) {
      return false;
    }
  }
  return full();
}

// `levels` of indirection: at most 3, and every leaf is mapped, so this ends.
bool JournalMapper::map_tree(std::uint64_t block, int levels) {
  if (levels == 0) {
    return append(block, 1);
  }
  const auto table = read_block(block);
  if (!table) {
    return false;
  }
  for (std::size_t at = 0; at < table->size() && !full(); at += sizeof(le32)) {
    if (!map_tree(load<le32>(*table, at), levels - 1)) {
      return false;
    }
  }
  return true;
}

bool JournalMapper::append(std::uint64_t block, std::uint64_t length) {
  length = std::min(length, count_ - mapped_);
  if (block < space_.begin || !fits(block, length, space_.end)) {
    return false;
  }
  if (!runs_.empty() && runs_.back().disk + runs_.back().length == block) {
    runs_.back().length += length;
  } else {
    runs_.push_back({mapped_, block, length});
  }
  mapped_ += length;
  return runs_.size() <= max_runs;
}

std::optional<std::vector<std::byte>> JournalMapper::read_block(std::uint64_t block) const {
  if (block < space_.begin || block >= space_.end) {
    return std::nullopt;
  }
  std::vector<std::byte> content(space_.block_size);
  space_.disk.read(block * space_.block_size, content);
  return content;
}

std::optional<JournalBlocks> JournalMapper::finish() {
  JournalBlocks blocks(std::move(runs_));
  return full() && blocks.distinct() ? std::optional(std::move(blocks)) : std::nullopt;
}

}  // namespace

std::optional<JournalBlocks> map_journal(const BlockSpace& space, ConstBytes i_block,
                                         std::uint64_t count) {
  if (count == 0 || count > space.end) {
    return std::nullopt;
  }
  JournalMapper mapper(space, count);
  const auto header = load<ExtentHeader>(i_block);
  const bool by_extents = header.magic == extent_magic && header.depth <= max_extent_depth;
  const bool sound =
      by_extents ? mapper.map_extents(i_block, header.depth) : mapper.map_pointers(i_block);
  return sound ? mapper.finish() : std::nullopt;
}

}  // namespace vimg
