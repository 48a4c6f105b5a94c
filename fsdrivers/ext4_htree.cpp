#include "fsdrivers/ext4_htree.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace vimg::ext4 {
namespace {

constexpr std::size_t root_info_offset = 24;  // behind "." and ".."
constexpr std::size_t root_start = root_info_offset + sizeof(IndexRoot);
constexpr std::size_t node_start = 8;  // behind the unused record
constexpr std::uint32_t block_mask = 0x0fffffff;
constexpr std::uint64_t end_of_hashes = std::uint64_t{1} << 32;

bool is_valid_root(const DirectoryReader& directory, const IndexRoot& root) {
  const bool large = has_incompat(directory.volume().superblock(), incompat_large_dir);
  const bool known_hash =
      directory.stores_hashes() ? root.hash_version == hash_siphash : root.hash_version <= hash_tea;
  return root.zero == 0 && root.info_length == sizeof(IndexRoot) && (root.flags & 1) == 0 &&
         known_hash && root.levels <= (large ? 2 : 1);
}

}  // namespace

IndexWalk::IndexWalk(const DirectoryReader& directory) : directory_(directory) {
  if (directory_.block_count() == 0 || !read_root()) {
    levels_.clear();
  }
}

bool IndexWalk::read_root() {
  const BlockCache::Block block = directory_.block(0);
  const auto root = load<IndexRoot>(*block, root_info_offset);
  hash_version_ = root.hash_version;
  depth_ = std::size_t{root.levels} + 1;
  return is_valid_root(directory_, root) && push_level(*block, root_start, 0, end_of_hashes);
}

bool IndexWalk::push_level(ConstBytes block, std::size_t start, std::uint64_t first,
                           std::uint64_t end) {
  const auto limits = load<IndexLimits>(block, start);
  const std::size_t room = (block.size() - start) / sizeof(IndexEntry);
  if (limits.count == 0 || limits.count > limits.limit || limits.limit > room) {
    return false;
  }
  Level level{std::vector<IndexEntry>(limits.count), 0, end};
  for (std::size_t i = 0; i < level.entries.size(); ++i) {
    level.entries[i] = load<IndexEntry>(block, start + i * sizeof(IndexEntry));
    level.entries[i].block = level.entries[i].block & block_mask;
  }
  level.entries[0].hash = std::uint32_t(first);
  const bool valid = are_valid(level);
  levels_.push_back(std::move(level));
  return valid;
}

// Hashes ascend and stay inside of what the parent says, so no leaf is met twice under one hash,
// and a walk has at most as many steps as there are entries.
bool IndexWalk::are_valid(const Level& level) const noexcept {
  for (std::size_t i = 0; i < level.entries.size(); ++i) {
    const IndexEntry& entry = level.entries[i];
    if (entry.block == 0 || entry.block >= directory_.block_count() || entry.hash >= level.end ||
        (i > 0 && entry.hash <= level.entries[i - 1].hash)) {
      return false;
    }
  }
  return true;
}

bool IndexWalk::push_child() {
  const Level& parent = levels_.back();
  const IndexEntry entry = parent.entries[parent.at];
  const BlockCache::Block block = directory_.block(entry.block);
  return push_level(*block, node_start, entry.hash, end_of_entry());
}

IndexWalk::Step IndexWalk::broken() noexcept {
  levels_.clear();
  return Step::broken;
}

std::uint64_t IndexWalk::end_of_entry() const noexcept {
  const Level& level = levels_.back();
  return level.at + 1 < level.entries.size() ? level.entries[level.at + 1].hash.value() : level.end;
}

IndexWalk::Step IndexWalk::seek(std::uint32_t major) {
  if (is_broken()) {
    return Step::broken;
  }
  levels_.resize(1);
  while (true) {
    Level& level = levels_.back();
    const auto after = std::upper_bound(
        std::next(level.entries.begin()), level.entries.end(), major,
        [](std::uint32_t hash, const IndexEntry& entry) { return hash < entry.hash; });
    level.at = std::size_t(after - level.entries.begin()) - 1;
    if (levels_.size() == depth_) {
      return Step::leaf;
    }
    if (!push_child()) {
      return broken();
    }
  }
}

IndexWalk::Step IndexWalk::descend() {
  while (levels_.size() < depth_) {
    if (!push_child()) {
      return broken();
    }
  }
  return Step::leaf;
}

IndexWalk::Step IndexWalk::advance() {
  while (levels_.back().at + 1 == levels_.back().entries.size()) {
    if (levels_.size() == 1) {
      return Step::end;
    }
    levels_.pop_back();
  }
  ++levels_.back().at;
  return descend();
}

std::uint64_t IndexWalk::leaf() const {
  const Level& level = levels_.back();
  return level.entries[level.at].block;
}

// Bit 0 of an entry says that it continues the one before; hashes themselves have it clear.
std::uint32_t IndexWalk::first_hash() const noexcept {
  const Level& level = levels_.back();
  return level.entries[level.at].hash & ~std::uint32_t{1};
}

bool IndexWalk::holds(std::uint32_t major) const noexcept {
  return major >= first_hash() && major < end_of_entry();
}

bool IndexWalk::next_continues() const noexcept { return (end_of_entry() & 1) != 0; }

std::uint32_t IndexWalk::continued_hash() const noexcept {
  return std::uint32_t(end_of_entry() & ~std::uint64_t{1});
}

}  // namespace vimg::ext4
