#include "fsdrivers/ext4_journal.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {
namespace {

constexpr const char* layer = "ext4";
constexpr std::uint32_t descriptor_size_32bit = 32;  // bytes
constexpr std::uint32_t descriptor_size_64bit = 64;
// A journal of 1 GiB in single blocks of 1 KiB; real ones have a handful of runs.
constexpr std::size_t max_runs = 1U << 20;
constexpr std::uint8_t backup_of_blocks = 1;
constexpr std::uint16_t mode_type_mask = 0xF000;
constexpr std::uint16_t mode_regular = 0x8000;

// The start of a group descriptor and where its 64-bit half continues it.
// Spec: linux Documentation/filesystems/ext4/group_descr.rst.
constexpr std::uint64_t inode_table_low_at = 8;
constexpr std::uint64_t inode_table_high_at = 40;

// The start of an inode.  Spec: linux Documentation/filesystems/ext4/inodes.rst.
struct Inode {
  le16 mode;
  le16 uid;
  le32 size_low;
  std::array<std::byte, 18> unused1;
  le16 links;
  std::array<std::byte, 12> unused2;
  std::array<std::byte, 60> i_block;
  std::array<std::byte, 8> unused3;
  le32 size_high;
};
static_assert(sizeof(Inode) == 112 && OnDisk<Inode>);

// The journal's file, wherever it was described.
struct JournalFile {
  std::array<std::byte, 60> i_block;
  std::uint64_t size;  // bytes
};

std::uint32_t descriptor_size(const Ext4RecoverySuperblock& superblock) noexcept {
  if ((superblock.incompat & ext4_incompat_64bit) == 0) {
    return descriptor_size_32bit;
  }
  return superblock.descriptor_size;
}

// The descriptors follow the superblock's block.  With meta_bg that holds for the first groups
// only, but there is the journal that mke2fs and the kernel make.
std::uint64_t descriptor_offset(const Ext4RecoverySuperblock& superblock, std::uint32_t group) {
  const std::uint32_t size = block_size(superblock);
  const std::uint64_t first = size == 1024 ? 2 : 1;
  return first * size + std::uint64_t(group) * descriptor_size(superblock);
}

std::optional<std::uint64_t> inode_table(const Disk& disk, const Ext4RecoverySuperblock& superblock,
                                         std::uint32_t group) {
  const std::uint64_t offset = descriptor_offset(superblock, group);
  const bool wide = descriptor_size(superblock) >= descriptor_size_64bit;
  if (offset + descriptor_size_64bit > disk.size()) {
    return std::nullopt;
  }
  const std::uint64_t low = read_object<le32>(disk, offset + inode_table_low_at);
  const std::uint64_t high =
      wide ? read_object<le32>(disk, offset + inode_table_high_at).value() : 0;
  return high << 32 | low;
}

std::optional<Inode> read_journal_inode(const BlockSpace& space,
                                        const Ext4RecoverySuperblock& superblock) {
  const std::uint32_t number = superblock.journal_inode;
  if (number == 0 || number > superblock.inode_count) {
    return std::nullopt;
  }
  const auto table =
      inode_table(space.disk, superblock, (number - 1) / superblock.inodes_per_group);
  if (!table || *table >= space.end) {
    return std::nullopt;
  }
  const std::uint64_t index = (number - 1) % superblock.inodes_per_group;
  const std::uint64_t offset = *table * space.block_size + index * inode_size(superblock);
  if (offset + sizeof(Inode) > space.disk.size()) {
    return std::nullopt;
  }
  return read_object<Inode>(space.disk, offset);
}

std::optional<JournalFile> file_in_inode(const BlockSpace& space,
                                         const Ext4RecoverySuperblock& superblock) {
  const auto inode = read_journal_inode(space, superblock);
  if (!inode || inode->links == 0 || (inode->mode & mode_type_mask) != mode_regular) {
    return std::nullopt;
  }
  return JournalFile{inode->i_block, std::uint64_t(inode->size_high) << 32 | inode->size_low};
}

std::optional<JournalFile> file_in_backup(const Ext4RecoverySuperblock& superblock) {
  if (superblock.journal_backup_type != backup_of_blocks) {
    return std::nullopt;
  }
  const auto& backup = superblock.journal_backup;
  JournalFile file{{}, std::uint64_t(backup[15]) << 32 | backup[16]};
  std::ranges::copy(std::as_bytes(std::span(backup)).first(file.i_block.size()),
                    file.i_block.begin());
  return file;
}

// Adds `run` to the first `mapped` blocks; false when it does not follow or nothing is missing.
bool append(std::vector<JournalBlocks::Run>& runs, std::uint64_t& mapped, std::uint64_t count,
            const MappedRun& run) {
  if (mapped == count || run.logical != mapped || run.kind != MappedAs::data ||
      runs.size() == max_runs) {
    return false;
  }
  const std::uint64_t length = std::min(run.length, count - mapped);
  if (!runs.empty() && runs.back().disk + runs.back().length == run.disk) {
    runs.back().length += length;
  } else {
    runs.push_back({mapped, run.disk, length});
  }
  mapped += length;
  return true;
}

// Where the file lies, when it begins as a journal does.
std::optional<JournalBlocks> find_journal(const BlockSpace& space,
                                          const std::optional<JournalFile>& file) {
  if (!file) {
    return std::nullopt;
  }
  auto blocks = map_journal(space, file->i_block, file->size / space.block_size);
  if (!blocks) {
    return std::nullopt;
  }
  const auto header =
      read_object<jbd2::BlockHeader>(space.disk, blocks->disk_block(0) * space.block_size);
  return header.magic == jbd2::block_magic ? std::move(blocks) : std::nullopt;
}

}  // namespace

BlockSpace block_space(const Disk& disk, const Ext4RecoverySuperblock& superblock) {
  const std::uint32_t size = block_size(superblock);
  return {disk, size, superblock.first_data_block,
          std::min(block_count(superblock), disk.size() / size)};
}

std::optional<JournalBlocks> map_journal(const BlockSpace& space, ConstBytes i_block,
                                         std::uint64_t count) {
  if (count == 0 || count > space.end) {
    return std::nullopt;
  }
  std::vector<JournalBlocks::Run> runs;
  std::uint64_t mapped = 0;
  const auto add = [&](const MappedRun& run) {
    return run.kind == MappedAs::map || append(runs, mapped, count, run);
  };
  const auto kind = looks_like_extents(i_block) ? BlockMapKind::extents : BlockMapKind::pointers;
  if (walk_block_map(space, kind, i_block, add) == WalkEnd::damaged || mapped != count) {
    return std::nullopt;
  }
  JournalBlocks blocks(std::move(runs));
  return blocks.distinct() ? std::optional(std::move(blocks)) : std::nullopt;
}

JournalLog open_ext4_journal(DiskPtr disk, const Ext4RecoverySuperblock& superblock) {
  if (superblock.journal_inode == 0 && superblock.journal_device != 0) {
    throw_unsupported(layer, "the journal is on another device (external journal)");
  }
  const BlockSpace space = block_space(*disk, superblock);
  auto blocks = find_journal(space, file_in_inode(space, superblock));
  if (!blocks) {
    blocks = find_journal(space, file_in_backup(superblock));
  }
  if (!blocks) {
    throw_corrupt(layer, fmt::format("no journal in inode {} nor where its backup points",
                                     superblock.journal_inode.value()));
  }
  return JournalLog(std::move(disk), space.block_size, std::move(*blocks));
}

}  // namespace vimg
