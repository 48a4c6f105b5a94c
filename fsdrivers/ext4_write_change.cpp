#include "fsdrivers/ext4_write_change.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/ext4_superblock.h"

namespace vimg::ext4 {
namespace {

constexpr std::size_t clean_bytes = 16U << 20;
constexpr std::size_t dirty_bytes = 24U << 20;

void seal_directory_leaf(Bytes block, std::uint32_t seed) {
  const std::size_t covered = block.size() - sizeof(DirectoryTail);
  store(block, block.size() - 4, le32(crc32c(seed, block.first(covered))));
}

// The limits sit after the fake entries: at 8 in a node, behind "." and ".." in the root.
void seal_directory_index(Bytes block, std::uint32_t seed) {
  const bool is_root = load<DirectoryRecord>(block).length == 12;
  const std::size_t place = is_root ? 32 : 8;
  const auto limits = load<IndexLimits>(block, place);
  const std::size_t tail = place + limits.limit * sizeof(IndexEntry);
  if (tail + 8 > block.size() || limits.count > limits.limit) {
    throw_corrupt(layer, fmt::format("a directory index holds {} of {} entries",
                                     limits.count.value(), limits.limit.value()));
  }
  std::uint32_t checksum = crc32c(seed, block.first(place + limits.count * sizeof(IndexEntry)));
  checksum = crc32c(checksum, block.subspan(tail, 4));
  checksum = crc32c(checksum, std::uint32_t(0));
  store(block, tail + 4, le32(checksum));
}

void seal_extent_node(Bytes block, std::uint32_t seed) {
  const std::size_t capacity = load<ExtentHeader>(block).max_entries;
  const std::size_t covered = sizeof(ExtentHeader) + capacity * sizeof(ExtentEntry);
  if (covered + 4 > block.size()) {
    throw_corrupt(layer, fmt::format("an extent block has room for {} entries", capacity));
  }
  store(block, covered, le32(crc32c(seed, block.first(covered))));
}

void seal_xattr_block(Bytes block, std::uint64_t number, std::uint32_t seed) {
  constexpr std::size_t place = offsetof(XattrHeader, checksum);
  store(block, place, le32(0));
  store(block, place, le32(crc32c(crc32c(seed, bytes_of(le64(number))), block)));
}

void apply_seal(const Layout& layout, Bytes block, std::uint64_t number, Seal seal) {
  switch (seal.kind) {
    case Seal::Kind::none:
      return;
    case Seal::Kind::directory_leaf:
      return seal_directory_leaf(block, seal.seed);
    case Seal::Kind::directory_index:
      return seal_directory_index(block, seal.seed);
    case Seal::Kind::extent_node:
      return seal_extent_node(block, seal.seed);
    case Seal::Kind::xattr_block:
      return seal_xattr_block(block, number, layout.checksum_seed);
  }
}

void check_seal(const Layout& layout, ConstBytes block, std::uint64_t number, Seal seal) {
  std::vector<std::byte> sealed(block.begin(), block.end());
  apply_seal(layout, sealed, number, seal);
  if (!std::equal(block.begin(), block.end(), sealed.begin())) {
    throw_corrupt(layer, fmt::format("the checksum in block {:#x} is wrong", number));
  }
}

// `bytes` is the whole descriptor as it lies in its block.
std::uint16_t descriptor_checksum(const Layout& layout, std::uint32_t group, ConstBytes bytes) {
  constexpr std::size_t place = offsetof(GroupDescriptor, checksum);
  constexpr std::array<std::byte, 2> zeros{};
  const ConstBytes before = bytes.first(place);
  const ConstBytes after = bytes.subspan(place + 2);
  if (layout.has_metadata_checksums()) {
    const std::uint32_t start = crc32c(crc32c(layout.checksum_seed, group), before);
    return std::uint16_t(crc32c(crc32c(start, zeros), after));
  }
  const std::uint16_t start = crc16(crc16(0xFFFF, bytes_of(layout.uuid)), bytes_of(le32(group)));
  return crc16(crc16(start, before), after);
}

}  // namespace

WriteVolume::WriteVolume(const DiskPtr& disk, const Superblock& super)
    : layout(super, disk->size()),
      cache(std::make_shared<MetadataCache>(disk, layout.block_size(), clean_bytes, dirty_bytes)) {}

Change::~Change() {
  // Runs may be longer again than was seen while this took some of them.
  if (!entries_.empty()) {
    volume_.hints.longest_run.clear();
  }
}

Change::Entry& Change::load_entry(std::uint64_t block, Seal seal) {
  const auto found = entries_.find(block);
  if (found != entries_.end()) {
    return found->second;
  }
  MetadataCache::Verify verify;
  if (seal.kind != Seal::Kind::none && layout().has_metadata_checksums()) {
    verify = [&](ConstBytes bytes) { check_seal(layout(), bytes, block, seal); };
  }
  return entries_.emplace(block, Entry{volume_.cache->get(block, verify), nullptr, seal})
      .first->second;
}

ConstBytes Change::read(std::uint64_t block, Seal seal) {
  const Entry& entry = load_entry(block, seal);
  return entry.edited ? ConstBytes(*entry.edited) : ConstBytes(*entry.base);
}

Bytes Change::edit(std::uint64_t block, Seal seal) {
  Entry& entry = load_entry(block, seal);
  if (!entry.edited) {
    entry.edited = std::make_shared<std::vector<std::byte>>(*entry.base);
  }
  if (seal.kind != Seal::Kind::none) {
    entry.seal = seal;
  }
  return *entry.edited;
}

Bytes Change::create(std::uint64_t block, Seal seal) {
  forgotten_.erase(block);
  Entry& entry = entries_[block];
  retired_.push_back(std::move(entry.edited));
  entry.edited = std::make_shared<std::vector<std::byte>>(layout().block_size());
  entry.seal = seal;
  return *entry.edited;
}

void Change::forget(std::uint64_t block) {
  const auto found = entries_.find(block);
  if (found != entries_.end()) {
    retired_.push_back(std::move(found->second.edited));
    entries_.erase(found);
  }
  forgotten_.insert(block);
}

void Change::write_blocks(std::uint64_t block, std::vector<std::byte> content) {
  kept_data_.push_back(std::move(content));
  data_.emplace_back(block << layout().block_bits, kept_data_.back());
}

void Change::write_bytes(std::uint64_t offset, ConstBytes content) {
  kept_data_.emplace_back(content.begin(), content.end());
  data_.emplace_back(offset, kept_data_.back());
}

void Change::write_data(std::uint64_t offset, ConstBytes content) {
  data_.emplace_back(offset, content);
}

const Superblock& Change::super() {
  if (!super_) {
    const std::size_t offset = superblock_offset % layout().block_size();
    super_ =
        std::make_unique<Superblock>(load<Superblock>(read(layout().superblock_block()), offset));
  }
  return *super_;
}

Superblock& Change::edit_super() {
  super();
  super_edited_ = true;
  return *super_;
}

GroupDescriptor Change::descriptor(std::uint32_t group) {
  const auto found = descriptors_.find(group);
  if (found != descriptors_.end()) {
    return found->second;
  }
  // Scans over many groups must not keep their blocks, so this does not load().
  const Block block = volume_.cache->get(layout().descriptor_block(group));
  const ConstBytes bytes =
      ConstBytes(*block).subspan(layout().descriptor_offset(group), layout().descriptor_size);
  if (layout().has_group_checksums() && load<le16>(bytes, offsetof(GroupDescriptor, checksum)) !=
                                            descriptor_checksum(layout(), group, bytes)) {
    throw_corrupt(layer, fmt::format("the checksum of group descriptor {} is wrong", group));
  }
  GroupDescriptor descriptor{};
  const std::size_t size = std::min(bytes.size(), sizeof(descriptor));
  std::copy_n(bytes.begin(), size, writable_bytes_of(descriptor).begin());
  validate(group, descriptor);
  return descriptor;
}

void Change::validate(std::uint32_t group, const GroupDescriptor& descriptor) const {
  const Layout& fs = layout();
  const std::uint64_t table_blocks = divide_up(fs.inodes_per_group, fs.inodes_per_block());
  const auto inside = [&fs](std::uint64_t block, std::uint64_t count) {
    return block > fs.superblock_block() && fits(block, count, fs.block_count);
  };
  if (!inside(block_bitmap_of(descriptor), 1) || !inside(inode_bitmap_of(descriptor), 1) ||
      !inside(inode_table_of(descriptor), table_blocks)) {
    throw_corrupt(layer, fmt::format("group descriptor {} points outside the file system", group));
  }
}

void Change::set_descriptor(std::uint32_t group, const GroupDescriptor& descriptor) {
  descriptors_[group] = descriptor;
}

Bytes Change::edit_block_bitmap(std::uint32_t group, std::uint64_t block) {
  block_bitmaps_[group] = block;
  return edit(block);
}

Bytes Change::edit_inode_bitmap(std::uint32_t group, std::uint64_t block) {
  inode_bitmaps_[group] = block;
  return edit(block);
}

void Change::seal_bitmaps() {
  if (!layout().has_metadata_checksums()) {
    return;
  }
  for (const auto& [group, block] : block_bitmaps_) {
    const ConstBytes bits = read(block).first(layout().clusters_per_group / 8);
    const std::uint32_t checksum = crc32c(layout().checksum_seed, bits);
    GroupDescriptor changed = descriptor(group);
    changed.block_bitmap_checksum_low = std::uint16_t(checksum);
    changed.block_bitmap_checksum_high = std::uint16_t(checksum >> 16);
    set_descriptor(group, changed);
  }
  for (const auto& [group, block] : inode_bitmaps_) {
    const ConstBytes bits = read(block).first(layout().inodes_per_group / 8);
    const std::uint32_t checksum = crc32c(layout().checksum_seed, bits);
    GroupDescriptor changed = descriptor(group);
    changed.inode_bitmap_checksum_low = std::uint16_t(checksum);
    changed.inode_bitmap_checksum_high = std::uint16_t(checksum >> 16);
    set_descriptor(group, changed);
  }
}

void Change::store_descriptors() {
  for (const auto& [group, descriptor] : descriptors_) {
    const Bytes bytes = edit(layout().descriptor_block(group))
                            .subspan(layout().descriptor_offset(group), layout().descriptor_size);
    const std::size_t size = std::min(bytes.size(), sizeof(descriptor));
    std::copy_n(bytes_of(descriptor).begin(), size, bytes.begin());
    if (layout().has_group_checksums()) {
      store(bytes, offsetof(GroupDescriptor, checksum),
            le16(descriptor_checksum(layout(), group, bytes)));
    }
  }
}

void Change::store_super() {
  if (!super_edited_) {
    return;
  }
  if (layout().has_metadata_checksums()) {
    const ConstBytes covered = bytes_of(*super_).first(offsetof(Superblock, checksum));
    super_->checksum = crc32c(~std::uint32_t(0), covered);
  }
  const Bytes block = edit(layout().superblock_block());
  store(block, superblock_offset % layout().block_size(), *super_);
}

void Change::seal_blocks() {
  if (!layout().has_metadata_checksums()) {
    return;
  }
  for (auto& [number, entry] : entries_) {
    if (entry.edited) {
      apply_seal(layout(), *entry.edited, number, entry.seal);
    }
  }
}

bool Change::is_empty() const noexcept {
  return !super_edited_ && descriptors_.empty() && data_.empty() && forgotten_.empty() &&
         std::none_of(entries_.begin(), entries_.end(),
                      [](const auto& entry) { return entry.second.edited != nullptr; });
}

void Change::commit() {
  if (is_empty()) {
    entries_.clear();
    return;
  }
  seal_bitmaps();
  store_descriptors();
  store_super();
  seal_blocks();
  for (const auto& [offset, content] : data_) {
    volume_.cache->disk()->write(offset, content);
  }
  publish();
  data_.clear();
  kept_data_.clear();
  entries_.clear();
  descriptors_.clear();
  block_bitmaps_.clear();
  inode_bitmaps_.clear();
  forgotten_.clear();
  noted_inodes_.clear();
  retired_.clear();
  super_.reset();
  super_edited_ = false;
}

void Change::publish() {
  const std::unique_lock alone(*volume_.publish_mutex);
  for (const std::uint64_t block : forgotten_) {
    volume_.cache->forget(block);
    volume_.on_block(block);
  }
  for (auto& [number, entry] : entries_) {
    if (entry.edited) {
      volume_.cache->publish(number, std::move(entry.edited));
      volume_.on_block(number);
    }
  }
  for (const std::uint32_t inode : noted_inodes_) {
    volume_.on_inode(inode);
  }
}

}  // namespace vimg::ext4
