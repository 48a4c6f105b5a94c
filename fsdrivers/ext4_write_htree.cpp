#include "fsdrivers/ext4_write_htree.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_hash.h"

namespace vimg::ext4 {
namespace {

constexpr std::size_t root_info = 24;    // behind "." and ".."
constexpr std::size_t root_limits = 32;  // behind the info
constexpr std::size_t node_limits = 8;   // behind one unused record
constexpr std::size_t entry_size = sizeof(IndexEntry);
constexpr std::size_t tail_size = 8;              // with checksums
constexpr std::uint32_t block_mask = 0x0FFFFFFF;  // the rest of an index's block number is unused
constexpr std::size_t dot_size = 12;
constexpr std::uint32_t continued = 1;  // bit 0 of a hash: its equals begin in the block before

// One block of the index on the way to a leaf.
struct Node {
  std::uint64_t block;
  std::size_t limits;  // where they are
  std::size_t at;      // the entry that was followed
};

// The way to a leaf.
struct Route {
  std::vector<Node> nodes;
  std::uint64_t leaf;  // block of the file system
};

// A record taken out of a leaf that is to be split.
struct HashedRecord {
  std::uint32_t hash;
  std::uint32_t inode;
  std::uint8_t file_type;
  std::string name;
};

std::size_t room_for_entries(const Layout& layout, std::size_t limits) noexcept {
  const std::size_t tail = layout.has_metadata_checksums() ? tail_size : 0;
  return (layout.block_size() - limits - tail) / entry_size;
}

// The index of one directory within one change.
class Index {
 public:
  Index(Change& change, InodeRecord& directory);

  std::uint32_t hash_of(std::string_view name) const;
  Route seek(std::uint32_t hash);
  // Goes to the next leaf if it may have names with that hash too.
  bool advance(Route& route, std::uint32_t hash);
  void add(const NewRecord& record);
  ConstBytes leaf_area(std::uint64_t block) {
    return record_area(layout_, change_.read(block, leaf_seal()));
  }

 private:
  Seal leaf_seal() const { return directory_.seal(layout_, Seal::Kind::directory_leaf); }
  Seal index_seal() const { return directory_.seal(layout_, Seal::Kind::directory_index); }
  ConstBytes read(std::uint64_t block) { return change_.read(block, index_seal()); }
  Bytes edit(std::uint64_t block) { return change_.edit(block, index_seal()); }
  IndexLimits limits_of(const Node& node);
  IndexEntry entry_of(const Node& node, std::size_t index) {
    return load<IndexEntry>(read(node.block), node.limits + index * entry_size);
  }
  Node node_in(std::uint64_t block, std::size_t limits, std::uint32_t hash);
  std::uint64_t child_of(const Node& node);
  bool is_full(const Node& node);
  void insert_entry(const Node& node, std::uint32_t hash, std::uint64_t logical);
  void make_room(const Route& route);
  void grow_root(const Route& route);
  void split_node(const Node& parent, const Node& node);
  void split_leaf(const Route& route);
  std::vector<HashedRecord> sorted_records(std::uint64_t leaf);
  void fill_leaf(std::uint64_t block, std::vector<HashedRecord>::const_iterator first,
                 std::vector<HashedRecord>::const_iterator last);

  Change& change_;
  const Layout& layout_;
  InodeRecord& directory_;
  std::uint64_t root_;
  std::uint8_t version_;
  std::size_t levels_;  // of nodes below the root
};

Index::Index(Change& change, InodeRecord& directory)
    : change_(change),
      layout_(change.layout()),
      directory_(directory),
      root_(directory_block(change, directory, 0)) {
  const auto root = load<IndexRoot>(read(root_), root_info);
  const std::size_t most = layout_.has_incompat(incompat_large_dir) ? 2 : 1;
  if (root.zero != 0 || root.info_length != sizeof(IndexRoot) || root.levels > most) {
    throw_corrupt(layer, fmt::format("directory {}: the root of the index has {} levels and {} "
                                     "bytes of information",
                                     directory.number, root.levels, root.info_length));
  }
  version_ = root.hash_version;
  levels_ = root.levels;
}

std::uint32_t Index::hash_of(std::string_view name) const {
  const bool folds = directory_.has_flag(inode_casefold) && layout_.has_incompat(incompat_casefold);
  return directory_hash(layout_, version_, folds ? NameCase::folded : NameCase::exact, name);
}

IndexLimits Index::limits_of(const Node& node) {
  const auto limits = load<IndexLimits>(read(node.block), node.limits);
  if (limits.count == 0 || limits.count > limits.limit ||
      limits.limit > room_for_entries(layout_, node.limits)) {
    throw_corrupt(
        layer, fmt::format("directory {}: an index of {} entries, room for {}", directory_.number,
                           limits.count.value(), limits.limit.value()));
  }
  return limits;
}

// The last entry whose hash is not above `hash`; the first has none and takes the rest.
Node Index::node_in(std::uint64_t block, std::size_t limits, std::uint32_t hash) {
  Node node{block, limits, 0};
  std::size_t low = 1;
  std::size_t high = limits_of(node).count;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (entry_of(node, middle).hash <= hash) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  node.at = low - 1;
  return node;
}

std::uint64_t Index::child_of(const Node& node) {
  const std::uint32_t logical = entry_of(node, node.at).block & block_mask;
  if (logical == 0 || logical >= directory_blocks(layout_, directory_)) {
    throw_corrupt(layer, fmt::format("directory {}: the index leads to block {:#x}",
                                     directory_.number, logical));
  }
  return directory_block(change_, directory_, logical);
}

Route Index::seek(std::uint32_t hash) {
  Route route{{node_in(root_, root_limits, hash)}, 0};
  for (std::size_t level = 0; level < levels_; ++level) {
    route.nodes.push_back(node_in(child_of(route.nodes.back()), node_limits, hash));
  }
  route.leaf = child_of(route.nodes.back());
  return route;
}

bool Index::advance(Route& route, std::uint32_t hash) {
  std::size_t level = route.nodes.size();
  while (level > 0 && route.nodes[level - 1].at + 1U >= limits_of(route.nodes[level - 1]).count) {
    --level;
  }
  if (level == 0) {
    return false;
  }
  Node& turn = route.nodes[level - 1];
  if ((entry_of(turn, turn.at + 1).hash & ~continued) != hash) {
    return false;
  }
  ++turn.at;
  for (; level < route.nodes.size(); ++level) {
    route.nodes[level] = {child_of(route.nodes[level - 1]), node_limits, 0};
    limits_of(route.nodes[level]);
  }
  route.leaf = child_of(route.nodes.back());
  return true;
}

bool Index::is_full(const Node& node) {
  const IndexLimits limits = limits_of(node);
  return limits.count == limits.limit;
}

void Index::insert_entry(const Node& node, std::uint32_t hash, std::uint64_t logical) {
  IndexLimits limits = limits_of(node);
  const Bytes bytes = edit(node.block);
  const auto place = bytes.begin() + std::ptrdiff_t(node.limits + (node.at + 1) * entry_size);
  const auto end = bytes.begin() + std::ptrdiff_t(node.limits + limits.count * entry_size);
  std::copy_backward(place, end, end + entry_size);
  store(bytes, node.limits + (node.at + 1) * entry_size, IndexEntry{hash, std::uint32_t(logical)});
  limits.count = std::uint16_t(limits.count + 1);
  store(bytes, node.limits, limits);
}

void Index::add(const NewRecord& record) {
  const std::uint32_t hash = hash_of(record.name);
  const RecordFormat format = record_format(layout_);
  const std::size_t needed = record_size(record.name.size());
  // A round without room halves a leaf, or makes room in the index for that; the index has at most
  // three levels.
  while (true) {
    const Route route = seek(hash);
    const auto room = find_record(format, leaf_area(route.leaf), [&](const StoredRecord& found) {
      return found.length >= found.used() + needed;
    });
    if (room) {
      const Bytes area = record_area(layout_, change_.edit(route.leaf, leaf_seal()));
      const std::size_t used = room->used();
      if (used != 0) {
        set_record_length(format, area, room->offset, used);
      }
      put_record(format, area, room->offset + used, room->length - used, record);
      return;
    }
    if (is_full(route.nodes.back())) {
      make_room(route);
    } else {
      split_leaf(route);
    }
  }
}

void Index::make_room(const Route& route) {
  for (std::size_t level = route.nodes.size() - 1; level-- > 0;) {
    if (!is_full(route.nodes[level])) {
      split_node(route.nodes[level], route.nodes[level + 1]);
      return;
    }
  }
  grow_root(route);
}

void Index::grow_root(const Route& route) {
  const std::size_t most = layout_.has_incompat(incompat_large_dir) ? 2 : 1;
  if (levels_ >= most) {
    throw_error(ENOSPC, layer, fmt::format("the index of directory {} is full", directory_.number));
  }
  const Node& root = route.nodes.front();
  IndexLimits limits = limits_of(root);
  const NewBlock added = append_directory_block(change_, directory_, Seal::Kind::directory_index);
  const Bytes node = edit(added.block);
  const Bytes old = edit(root_);
  std::fill(node.begin(), node.end(), std::byte(0));
  put_record(record_format(layout_), node, 0, node.size(), {"", 0, 0});
  std::copy_n(old.begin() + root_limits, limits.count * entry_size, node.begin() + node_limits);
  store(node, node_limits,
        IndexLimits{std::uint16_t(room_for_entries(layout_, node_limits)), limits.count});
  limits.count = 1;
  store(old, root_limits, limits);
  store(old, root_limits + offsetof(IndexEntry, block), le32(std::uint32_t(added.logical)));
  ++levels_;
  old[root_info + offsetof(IndexRoot, levels)] = std::byte(levels_);
}

// Moves the upper half of a full node into a new one.
void Index::split_node(const Node& parent, const Node& node) {
  IndexLimits limits = limits_of(node);
  const std::size_t keep = limits.count / 2;
  const std::size_t moved = limits.count - keep;
  const std::uint32_t hash = entry_of(node, keep).hash;
  const NewBlock added = append_directory_block(change_, directory_, Seal::Kind::directory_index);
  const Bytes new_bytes = edit(added.block);
  const Bytes old_bytes = edit(node.block);
  std::fill(new_bytes.begin(), new_bytes.end(), std::byte(0));
  put_record(record_format(layout_), new_bytes, 0, new_bytes.size(), {"", 0, 0});
  std::copy_n(old_bytes.begin() + std::ptrdiff_t(node.limits + keep * entry_size),
              moved * entry_size, new_bytes.begin() + node_limits);
  store(new_bytes, node_limits,
        IndexLimits{std::uint16_t(room_for_entries(layout_, node_limits)), std::uint16_t(moved)});
  limits.count = std::uint16_t(keep);
  store(old_bytes, node.limits, limits);
  insert_entry(parent, hash, added.logical);
}

std::vector<HashedRecord> Index::sorted_records(std::uint64_t leaf) {
  std::vector<HashedRecord> records;
  find_record(record_format(layout_), leaf_area(leaf), [&](const StoredRecord& record) {
    if (record.inode != 0) {
      records.push_back(
          {hash_of(record.name), record.inode, record.file_type, std::string(record.name)});
    }
    return false;
  });
  std::stable_sort(records.begin(), records.end(),
                   [](const auto& left, const auto& right) { return left.hash < right.hash; });
  return records;
}

void Index::fill_leaf(std::uint64_t block, std::vector<HashedRecord>::const_iterator first,
                      std::vector<HashedRecord>::const_iterator last) {
  const Bytes bytes = change_.edit(block, leaf_seal());
  clear_records(layout_, bytes);
  const Bytes area = record_area(layout_, bytes);
  const RecordFormat format = record_format(layout_);
  std::size_t offset = 0;
  for (; first != last; ++first) {
    const bool is_last = first + 1 == last;
    const std::size_t length = is_last ? area.size() - offset : record_size(first->name.size());
    put_record(format, area, offset, length, {first->name, first->inode, first->file_type});
    offset += length;
  }
}

void Index::split_leaf(const Route& route) {
  const std::vector<HashedRecord> records = sorted_records(route.leaf);
  if (records.size() < 2) {
    throw_corrupt(layer, fmt::format("directory {}: a block of {} records is full",
                                     directory_.number, records.size()));
  }
  std::size_t bytes = 0;
  std::size_t keep = records.size();
  while (keep > 1 &&
         bytes + record_size(records[keep - 1].name.size()) <= layout_.block_size() / 2) {
    --keep;
    bytes += record_size(records[keep].name.size());
  }
  keep = std::min(keep, records.size() - 1);
  const auto middle = records.begin() + std::ptrdiff_t(keep);
  const std::uint32_t mark = middle->hash == (middle - 1)->hash ? continued : 0;
  const NewBlock added = append_directory_block(change_, directory_, Seal::Kind::directory_leaf);
  fill_leaf(added.block, middle, records.end());
  fill_leaf(route.leaf, records.begin(), middle);
  insert_entry(route.nodes.back(), middle->hash | mark, added.logical);
}

}  // namespace

std::optional<FoundEntry> find_indexed(Change& change, const InodeRecord& directory,
                                       std::string_view name) {
  if (name == "." || name == "..") {
    const std::uint64_t block = directory_block(change, directory, 0);
    const std::size_t offset = name == "." ? 0 : dot_size;
    return FoundEntry{load<le32>(change.read(block), offset), block, offset};
  }
  InodeRecord copy = directory;
  Index index(change, copy);
  const std::uint32_t hash = index.hash_of(name);
  Route route = index.seek(hash);
  // No index leads to more leaves than there are blocks.
  std::uint64_t left = directory_blocks(change.layout(), directory);
  do {
    const auto found = find_record(
        record_format(change.layout()), index.leaf_area(route.leaf),
        [&](const StoredRecord& record) {
          return record.inode != 0 && same_name(change.layout(), directory, record.name, name);
        });
    if (found) {
      return FoundEntry{found->inode, route.leaf, found->offset};
    }
  } while (--left != 0 && index.advance(route, hash));
  return std::nullopt;
}

void add_indexed(Change& change, InodeRecord& directory, const NewRecord& record) {
  Index(change, directory).add(record);
}

void make_index(Change& change, InodeRecord& directory) {
  const Layout& layout = change.layout();
  const RecordFormat format = record_format(layout);
  const std::uint64_t root = directory_block(change, directory, 0);
  const Seal leaf = directory.seal(layout, Seal::Kind::directory_leaf);
  const std::vector<std::byte> old = [&] {
    const ConstBytes bytes = record_area(layout, change.read(root, leaf));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  }();
  const StoredRecord dot = record_at(format, old, 0);
  const StoredRecord dots = record_at(format, old, dot.length);
  if (dot.name != "." || dot.length != dot_size || dots.name != "..") {
    throw_corrupt(layer, fmt::format("directory {} does not begin with itself and its parent",
                                     directory.number));
  }
  const NewBlock added = append_directory_block(change, directory, Seal::Kind::directory_leaf);
  const Bytes area = record_area(layout, change.edit(added.block, leaf));
  find_record(format, old, [&](const StoredRecord& record) {
    if (record.inode != 0 && record.offset > dots.offset) {
      insert_record(format, area, {record.name, record.inode, record.file_type});
    }
    return false;
  });
  const Bytes block = change.edit(root, directory.seal(layout, Seal::Kind::directory_index));
  std::fill(block.begin() + root_info, block.end(), std::byte(0));
  set_record_length(format, block, dot_size, block.size() - dot_size);
  store(block, root_info,
        IndexRoot{0U, layout.hash_version, std::uint8_t(sizeof(IndexRoot)), 0, 0});
  store(block, root_limits,
        IndexLimits{std::uint16_t(room_for_entries(layout, root_limits)), std::uint16_t(1)});
  store(block, root_limits + offsetof(IndexEntry, block), le32(std::uint32_t(added.logical)));
  directory.set_flag(inode_indexed);
}

}  // namespace vimg::ext4
