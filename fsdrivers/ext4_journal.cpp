#include "fsdrivers/ext4_journal.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg {
namespace {

// A journal of 1 GiB in single blocks of 1 KiB; real ones have a handful of runs.
constexpr std::size_t max_runs = 1U << 20;
constexpr std::uint8_t backup_of_blocks = 1;
constexpr std::uint16_t mode_type_mask = 0xF000;
constexpr std::uint16_t mode_regular = 0x8000;

// The journal's file, wherever it was described.
struct JournalFile {
  std::array<std::byte, ext4::block_map_size> i_block;
  std::uint64_t size;  // bytes
};

// The descriptors follow the superblock's block.  With meta_bg that holds for the first groups
// only, but there is the journal that mke2fs and the kernel make.
std::optional<std::uint64_t> inode_table(const Disk& disk, const ext4::Geometry& geometry,
                                         std::uint32_t group) {
  const std::uint64_t offset = (geometry.superblock_block + 1) * geometry.block_size +
                               std::uint64_t(group) * geometry.descriptor_size;
  ext4::GroupDescriptor descriptor{};
  const std::size_t size = std::min<std::size_t>(geometry.descriptor_size, sizeof descriptor);
  if (!fits(offset, size, disk.size())) {
    return std::nullopt;
  }
  disk.read(offset, writable_bytes_of(descriptor).first(size));
  return ext4::joined(descriptor.inode_table_high, descriptor.inode_table_low);
}

std::optional<ext4::RawInode> read_journal_inode(const BlockSpace& space, std::uint32_t number,
                                                 const ext4::Geometry& geometry) {
  if (number == 0 || number > geometry.inode_count) {
    return std::nullopt;
  }
  const auto table = inode_table(space.disk, geometry, (number - 1) / geometry.inodes_per_group);
  if (!table || *table >= space.end) {
    return std::nullopt;
  }
  const std::uint64_t index = (number - 1) % geometry.inodes_per_group;
  const std::uint64_t offset = *table * space.block_size + index * geometry.inode_size;
  if (!fits(offset, ext4::small_inode_size, space.disk.size())) {
    return std::nullopt;
  }
  ext4::RawInode inode{};
  space.disk.read(offset, writable_bytes_of(inode).first(ext4::small_inode_size));
  return inode;
}

std::optional<JournalFile> file_in_inode(const BlockSpace& space, std::uint32_t number,
                                         const ext4::Geometry& geometry) {
  const auto inode = read_journal_inode(space, number, geometry);
  if (!inode || inode->link_count == 0 || (inode->mode & mode_type_mask) != mode_regular) {
    return std::nullopt;
  }
  return JournalFile{inode->block_map, ext4::joined(inode->size_high, inode->size_low)};
}

// The backup ends with the size, high word first.
std::optional<JournalFile> file_in_backup(const ext4::Superblock& superblock) {
  if (superblock.journal_backup_type != backup_of_blocks) {
    return std::nullopt;
  }
  const auto& backup = superblock.journal_blocks;
  JournalFile file{{}, ext4::joined(backup[15], backup[16])};
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

BlockSpace block_space(const Disk& disk, const ext4::Geometry& geometry) noexcept {
  return {disk, geometry.block_size, geometry.first_data_block,
          std::min(geometry.block_count, disk.size() / geometry.block_size)};
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

JournalLog open_ext4_journal(DiskPtr disk, const ext4::Superblock& superblock,
                             const ext4::Geometry& geometry) {
  const std::uint32_t number = superblock.journal_inode;
  if (number == 0 && superblock.journal_device != 0) {
    throw_unsupported(ext4::layer, "the journal is on another device (external journal)");
  }
  const BlockSpace space = block_space(*disk, geometry);
  auto blocks = find_journal(space, file_in_inode(space, number, geometry));
  if (!blocks) {
    blocks = find_journal(space, file_in_backup(superblock));
  }
  if (!blocks) {
    throw_corrupt(ext4::layer,
                  fmt::format("no journal in inode {} nor where its backup points", number));
  }
  return JournalLog(std::move(disk), space.block_size, std::move(*blocks));
}

}  // namespace vimg
