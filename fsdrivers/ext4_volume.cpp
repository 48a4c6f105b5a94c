#include "fsdrivers/ext4_volume.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"

namespace vimg::ext4 {
namespace {

constexpr std::size_t metadata_cache_bytes = 8 << 20;

std::uint32_t seed_of(const Superblock& superblock) {
  return has_incompat(superblock, incompat_csum_seed)
             ? superblock.checksum_seed.value()
             : crc32c(~std::uint32_t{0}, bytes_of(superblock.uuid));
}

std::uint16_t descriptor_checksum(const Superblock& superblock, std::uint32_t seed,
                                  std::uint32_t group, ConstBytes bytes) {
  constexpr std::size_t place = offsetof(GroupDescriptor, checksum);
  constexpr std::array<std::byte, 2> zeros{};
  const ConstBytes before = bytes.first(place);
  const ConstBytes after = bytes.subspan(place + 2);
  if (has_metadata_checksums(superblock)) {
    const std::uint32_t crc = crc32c(crc32c(seed, group), before);
    return std::uint16_t(crc32c(crc32c(crc, zeros), after));
  }
  const le32 number = group;
  const std::uint16_t crc = crc16(0xffff, bytes_of(superblock.uuid));
  return crc16(crc16(crc16(crc, bytes_of(number)), before), after);
}

}  // namespace

Volume::Volume(DiskPtr disk, const Superblock& superblock, std::uint64_t offset, Nameless nameless)
    : disk_(std::move(disk)),
      superblock_(superblock),
      geometry_(validate(superblock, offset)),
      checksum_seed_(seed_of(superblock)),
      nameless_(nameless),
      cache_(std::make_unique<BlockCache>(geometry_.block_size, metadata_cache_bytes)) {}

void Volume::throw_outside(std::uint64_t block, std::uint64_t count, std::string_view what) const {
  throw_corrupt(layer, fmt::format("{} at block {:#x} (+{:#x}) lies outside of the file system's "
                                   "{:#x} blocks",
                                   what, block, count, geometry_.block_count));
}

BlockCache::Block Volume::metadata(std::uint64_t block, std::string_view what,
                                   const Verify& verify) const {
  if (BlockCache::Block cached = cache_->peek(block)) {
    return cached;
  }
  if (!contains(block, 1)) {
    throw_outside(block, 1, what);
  }
  return cache_->get(block, [&](std::uint64_t, Bytes out) {
    read_data(block, 0, out);
    if (verify) {
      verify(out);
    }
  });
}

// No product or sum here overflows: a block number is below 2^48, a block at most 2^16 bytes.
void Volume::read_data(std::uint64_t block, std::uint64_t offset_in_block, Bytes out) const {
  const std::uint64_t offset = block * geometry_.block_size + offset_in_block;
  if (!fits(offset, out.size(), disk_->size())) {
    throw_corrupt(layer, fmt::format("block {:#x} (+{:#x} bytes) lies beyond the disk's end {:#x}",
                                     block, out.size(), disk_->size()));
  }
  disk_->read(offset, out);
}

// With meta_bg, a block of descriptors lies in the first of the groups that it describes.
std::uint64_t Volume::descriptor_block(std::uint32_t index) const {
  if (!has_incompat(superblock_, incompat_meta_bg) || index < superblock_.first_meta_group) {
    return geometry_.superblock_block + 1 + index;
  }
  const std::uint64_t group =
      std::uint64_t{index} * (geometry_.block_size / geometry_.descriptor_size);
  const std::uint64_t first = geometry_.first_data_block + group * geometry_.blocks_per_group;
  const bool copy = has_superblock_copy(superblock_, std::uint32_t(group));
  // With bigalloc and blocks of 1 KiB, group 0 begins with the unused block before the superblock.
  const bool skips = index == 0 && geometry_.block_size == 1024 && geometry_.first_data_block == 0;
  return first + (copy ? 1 : 0) + (skips ? 1 : 0);
}

void Volume::check_descriptor(const GroupDescriptor& descriptor, std::uint32_t group,
                              ConstBytes bytes) const {
  if (!has_checksums() && !has_ro_compat(superblock_, ro_compat_gdt_csum)) {
    return;
  }
  const std::uint16_t expected = descriptor_checksum(superblock_, checksum_seed_, group, bytes);
  if (descriptor.checksum != expected) {
    throw_corrupt(
        layer, fmt::format("group descriptor {:#x}: checksum is {:#06x}, expected {:#06x}", group,
                           descriptor.checksum.value(), expected));
  }
}

GroupDescriptor Volume::group(std::uint32_t group) const {
  const std::uint32_t per_block = geometry_.block_size / geometry_.descriptor_size;
  const BlockCache::Block block =
      metadata(descriptor_block(group / per_block), "group descriptors");
  const ConstBytes bytes = ConstBytes(*block).subspan(
      std::size_t{group % per_block} * geometry_.descriptor_size, geometry_.descriptor_size);
  GroupDescriptor descriptor{};
  const std::size_t known = std::min(bytes.size(), sizeof(descriptor));
  std::copy_n(bytes.begin(), known, writable_bytes_of(descriptor).begin());
  check_descriptor(descriptor, group, bytes);
  return descriptor;
}

std::uint64_t Volume::inode_table(std::uint32_t number) const {
  const GroupDescriptor descriptor = group(number);
  return joined(descriptor.inode_table_high, descriptor.inode_table_low);
}

Inode Volume::inode(InodeNumber number) const {
  if (number == 0 || number > geometry_.inode_count) {
    throw_error(ESTALE, layer,
                fmt::format("inode {} is not one of {}", number, geometry_.inode_count));
  }
  const auto index = std::uint32_t(number - 1);
  const std::uint32_t in_group = index % geometry_.inodes_per_group;
  const std::uint32_t per_block = geometry_.block_size / geometry_.inode_size;
  const std::uint64_t table = inode_table(index / geometry_.inodes_per_group);
  const BlockCache::Block block = metadata(table + in_group / per_block, "inode table");
  const std::size_t offset = std::size_t{in_group % per_block} * geometry_.inode_size;
  Inode inode(std::uint32_t(number), block, offset, geometry_.inode_size, checksum_seed_);
  if (inode.raw().mode == 0 || (inode.raw().link_count == 0 && nameless_ == Nameless::absent)) {
    throw_error(ESTALE, layer, fmt::format("inode {} is not in use", number));
  }
  validate_inode(inode, superblock_);
  return inode;
}

Inode Volume::file_inode(InodeNumber number) const {
  if (number < geometry_.first_inode && number != root_inode) {
    throw_error(ESTALE, layer, fmt::format("inode {} is reserved", number));
  }
  Inode found = inode(number);
  if (found.has_flag(inode_ea_value)) {
    throw_error(ESTALE, layer, fmt::format("inode {} is the value of an attribute", number));
  }
  return found;
}

}  // namespace vimg::ext4
