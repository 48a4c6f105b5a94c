#include "fsdrivers/ext4_recovery_superblock.h"

#include <bit>
#include <cstddef>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/jbd2_checksum.h"

namespace vimg {
namespace {

constexpr const char* layer = "ext4";
constexpr std::uint64_t superblock_offset = 1024;
constexpr std::uint16_t superblock_magic = 0xEF53;
constexpr std::uint32_t max_log_block_size = 6;  // 64 KiB, the kernel's EXT4_MAX_BLOCK_LOG_SIZE
constexpr std::uint32_t old_inode_size = 128;

void validate(const Ext4RecoverySuperblock& superblock) {
  if (superblock.log_block_size > max_log_block_size) {
    throw_corrupt(layer, fmt::format("block size of 2^{} KiB", superblock.log_block_size.value()));
  }
  const std::uint32_t size = inode_size(superblock);
  if (size < old_inode_size || size > block_size(superblock) || !std::has_single_bit(size)) {
    throw_corrupt(layer, fmt::format("inodes of {} bytes", size));
  }
  if (superblock.inodes_per_group == 0) {
    throw_corrupt(layer, "no inodes in a group");
  }
}

}  // namespace

std::optional<Ext4RecoverySuperblock> find_recovery_superblock(const Disk& disk) {
  if (!fits(superblock_offset, sizeof(Ext4RecoverySuperblock), disk.size())) {
    return std::nullopt;
  }
  const auto superblock = read_object<Ext4RecoverySuperblock>(disk, superblock_offset);
  return superblock.magic == superblock_magic ? std::optional(superblock) : std::nullopt;
}

Ext4RecoverySuperblock read_recovery_superblock(const Disk& disk) {
  const auto superblock = find_recovery_superblock(disk);
  if (!superblock) {
    throw_corrupt(layer, fmt::format("no superblock at {:#x}", superblock_offset));
  }
  validate(*superblock);
  return *superblock;
}

void write_recovery_superblock(Disk& disk, Ext4RecoverySuperblock superblock) {
  if ((superblock.ro_compat & ext4_ro_compat_metadata_csum) != 0) {
    constexpr std::size_t summed = offsetof(Ext4RecoverySuperblock, checksum);
    superblock.checksum = crc32c(~0U, bytes_of(superblock).first(summed));
  }
  disk.write(superblock_offset, bytes_of(superblock));
}

std::uint32_t block_size(const Ext4RecoverySuperblock& superblock) noexcept {
  return 1024U << superblock.log_block_size;
}

std::uint64_t block_count(const Ext4RecoverySuperblock& superblock) noexcept {
  const bool wide = (superblock.incompat & ext4_incompat_64bit) != 0;
  const std::uint64_t high = wide ? superblock.block_count_high.value() : 0;
  return high << 32 | superblock.block_count_low;
}

std::uint32_t inode_size(const Ext4RecoverySuperblock& superblock) noexcept {
  return superblock.revision == 0 ? old_inode_size : superblock.inode_size.value();
}

}  // namespace vimg
