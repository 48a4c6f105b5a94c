#include "fsdrivers/ext4_write_xattr_value.h"

#include <algorithm>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_inodes.h"
#include "fsdrivers/ext4_write_map.h"
#include "fsdrivers/ext4_write_new_inode.h"

namespace vimg::ext4 {
namespace {

constexpr std::uint64_t most_value_bytes = 1 << 24;  // EXT2_XATTR_SIZE_MAX

// The count of owners sits in fields that such an inode has no other use for.
std::uint64_t owners_of(const InodeRecord& holder) noexcept {
  return joined(holder.raw.ctime, holder.raw.version_low);
}

void set_owners(InodeRecord& holder, std::uint64_t count) noexcept {
  holder.raw.ctime = std::uint32_t(count >> 32);
  holder.raw.version_low = std::uint32_t(count);
}

InodeRecord load_holder(Change& change, const StoredXattr& attribute) {
  InodeRecord holder = load_inode(change, attribute.value_inode);
  if (!holder.has_flag(inode_ea_value) || size_of(holder) != attribute.value_size ||
      attribute.value_size > most_value_bytes) {
    throw_corrupt(layer, fmt::format("inode {} does not hold a value of {:#x} bytes",
                                     attribute.value_inode, attribute.value_size));
  }
  return holder;
}

std::uint64_t blocks_of_value(const Layout& layout, std::uint64_t size) noexcept {
  return round_up(divide_up(size, layout.block_size()), layout.blocks_per_cluster());
}

void write_value(Change& change, InodeRecord& holder, ConstBytes value) {
  const Layout& layout = change.layout();
  const std::uint64_t count = divide_up(value.size(), layout.block_size());
  for (std::uint64_t logical = 0; logical < count;) {
    const MappedRun run = allocate_run(change, holder, logical, count, RunState::written);
    for (std::uint64_t block = 0; block < run.length; ++block, ++logical) {
      const Bytes bytes = change.create(run.physical + block);
      const std::size_t start = std::size_t(logical * layout.block_size());
      const std::size_t size = std::min<std::size_t>(bytes.size(), value.size() - start);
      std::copy_n(value.begin() + std::ptrdiff_t(start), size, bytes.begin());
    }
  }
  set_size(holder, value.size());
}

}  // namespace

StoredXattr make_value_inode(Change& change, InodeRecord& owner, const StoredXattr& attribute) {
  const Layout& layout = change.layout();
  NewFile file{S_IFREG | 0600, uid_of(owner), gid_of(owner)};
  InodeRecord holder = make_inode(change, owner, file);
  holder.raw.flags = (holder.raw.flags & inode_extents) | inode_ea_value;
  holder.raw.link_count = 1;
  const std::uint32_t hash = crc32c(layout.checksum_seed, attribute.value);
  holder.raw.atime = hash;
  set_owners(holder, 1);
  write_value(change, holder, attribute.value);
  store_inode(change, holder);
  add_blocks(layout, owner, blocks_of_value(layout, attribute.value.size()));
  return {attribute.index,
          attribute.name,
          {},
          holder.number,
          std::uint32_t(attribute.value.size()),
          hash_of_inode_value(attribute.name, hash)};
}

std::vector<std::byte> read_value_inode(Change& change, const StoredXattr& attribute) {
  const InodeRecord holder = load_holder(change, attribute);
  const std::size_t block_size = change.layout().block_size();
  std::vector<std::byte> value;
  while (value.size() < attribute.value_size) {
    const std::uint64_t logical = value.size() / block_size;
    const MappedRun run = find_run(change, holder, logical, logical + 1);
    const std::size_t count = std::min(block_size, attribute.value_size - value.size());
    if (run.state == RunState::written) {
      const ConstBytes bytes = change.read(run.physical).first(count);
      value.insert(value.end(), bytes.begin(), bytes.end());
    } else {
      value.resize(value.size() + count);
    }
  }
  return value;
}

void share_value_inode(Change& change, const StoredXattr& attribute) {
  InodeRecord holder = load_holder(change, attribute);
  set_owners(holder, owners_of(holder) + 1);
  store_inode(change, holder);
}

void uncount_value_inode(Change& change, InodeRecord& owner, const StoredXattr& attribute) {
  const Layout& layout = change.layout();
  subtract_blocks(layout, owner, blocks_of_value(layout, attribute.value_size));
}

void drop_value_inode(Change& change, InodeRecord& owner, const StoredXattr& attribute) {
  const Layout& layout = change.layout();
  InodeRecord holder = load_holder(change, attribute);
  uncount_value_inode(change, owner, attribute);
  if (owners_of(holder) > 1) {
    set_owners(holder, owners_of(holder) - 1);
    store_inode(change, holder);
    return;
  }
  const std::uint64_t count = divide_up(attribute.value_size, layout.block_size());
  for (std::uint64_t logical = 0; logical < count;) {
    const MappedRun run = find_run(change, holder, logical, count);
    for (std::uint64_t block = 0; run.state != RunState::hole && block < run.length; ++block) {
      change.forget(run.physical + block);
    }
    logical = run.end();
  }
  free_range(change, holder, 0, every_block);
  free_inode(change, holder);
}

}  // namespace vimg::ext4
