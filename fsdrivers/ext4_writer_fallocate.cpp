// Ext4Writer: ranges of files set aside, zeroed, taken out and put in.
#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_content.h"
#include "fsdrivers/ext4_write_inline.h"
#include "fsdrivers/ext4_write_map.h"
#include "fsdrivers/ext4_writer_apply.h"
#include "fsdrivers/ext4_writer_checks.h"

namespace vimg::ext4 {
namespace {

constexpr std::size_t large_change = 2048;  // blocks; then the rest goes into the next change

bool grows(FallocateMode mode) noexcept {
  return mode == FallocateMode::allocate || mode == FallocateMode::zero_range;
}

// The range is valid, and the file one that can have it.
void check_range(Change& change, const InodeRecord& file, FallocateMode mode, std::uint64_t offset,
                 std::uint64_t length) {
  check_can_write(file);
  const bool only_adds =
      mode == FallocateMode::allocate || mode == FallocateMode::allocate_keep_size;
  if (file.has_flag(inode_append_only) && !only_adds) {
    throw_error(EPERM, layer, fmt::format("inode {} is only to be appended to", file.number));
  }
  if (length == 0) {
    throw_error(EINVAL, layer, "an empty range");
  }
  const bool may_lie_beyond = mode == FallocateMode::punch_hole;
  const auto end = checked_add(offset, length);
  if (!may_lie_beyond || !end) {
    check_size(change.layout(), file, end.value_or(UINT64_MAX));
  }
  const bool will_have_extents = file.has_flag(inode_inline_data)
                                     ? change.layout().has_incompat(incompat_extents)
                                     : file.has_flag(inode_extents);
  if (!will_have_extents && mode != FallocateMode::punch_hole) {
    throw_unsupported(layer, fmt::format("inode {} has no extents", file.number));
  }
}

void check_aligned(const Layout& layout, std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t unit = std::uint64_t(layout.block_size()) << layout.cluster_bits;
  if (offset % unit != 0 || length % unit != 0) {
    throw_error(EINVAL, layer,
                fmt::format("the range does not begin and end with a cluster of "
                            "{:#x} bytes",
                            unit));
  }
}

// Zeros over those parts of the first and last block that the range covers.
void zero_edges(Change& change, const InodeRecord& file, std::uint64_t offset, std::uint64_t end) {
  const std::uint64_t block_size = change.layout().block_size();
  const std::uint64_t first_whole = round_up(offset, block_size);
  const std::uint64_t last_whole = round_down(end, block_size);
  if (first_whole > last_whole) {
    put_zeros(change, file, offset, end);
    return;
  }
  put_zeros(change, file, offset, first_whole);
  put_zeros(change, file, last_whole, end);
}

}  // namespace

void Ext4Writer::fallocate(InodeNumber file, FallocateMode mode, std::uint64_t offset,
                           std::uint64_t length, TimeUpdate times) {
  const std::unique_lock alone(content_lock(file));
  change_range(file, mode, offset, length);
  if (times == TimeUpdate::now) {
    apply([&](Change&, InodeSet& inodes) { touch(inodes.get(file)); });
  }
}

void Ext4Writer::change_range(InodeNumber file, FallocateMode mode, std::uint64_t offset,
                              std::uint64_t length) {
  apply([&](Change& change, InodeSet& inodes) {
    InodeRecord& inode = inodes.get(file);
    check_range(change, inode, mode, offset, length);
    if (inode.has_flag(inode_inline_data)) {
      move_file_to_blocks(change, inode);
    }
  });
  const std::uint64_t block_size = volume_->layout.block_size();
  switch (mode) {
    case FallocateMode::punch_hole:
      return punch(file, offset, length);
    case FallocateMode::collapse_range:
      return collapse(file, offset, length);
    case FallocateMode::insert_range:
      return insert(file, offset, length);
    case FallocateMode::zero_range:
    case FallocateMode::zero_range_keep_size:
      zero(file, offset, length);
      break;
    case FallocateMode::allocate:
    case FallocateMode::allocate_keep_size:
      break;
  }
  reserve_range_of(file, offset / block_size, divide_up(offset + length, block_size));
  apply([&](Change& change, InodeSet& inodes) {
    InodeRecord& inode = inodes.get(file);
    if (grows(mode) && offset + length > size_of(inode)) {
      set_file_size(change, inode, offset + length);
    }
  });
}

void Ext4Writer::reserve_range_of(InodeNumber file, std::uint64_t from_block,
                                  std::uint64_t to_block) {
  while (from_block < to_block) {
    apply([&](Change& change, InodeSet& inodes) {
      InodeRecord& inode = inodes.get(file);
      while (from_block < to_block && change.block_count() < large_change) {
        MappedRun run = find_run(change, inode, from_block, to_block);
        if (run.state == RunState::hole) {
          run = allocate_run(change, inode, run.logical, run.end(), RunState::unwritten);
        }
        from_block = run.end();
      }
    });
  }
}

void Ext4Writer::punch(InodeNumber file, std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t block_size = volume_->layout.block_size();
  const std::uint64_t end = apply([&](Change& change, InodeSet& inodes) {
    InodeRecord& inode = inodes.get(file);
    const std::uint64_t last = round_up(size_of(inode), block_size);
    const std::uint64_t stop = std::max(offset, std::min(offset + length, last));
    zero_edges(change, inode, offset, stop);
    return stop;
  });
  free_range_of(file, divide_up(offset, block_size), end / block_size);
}

void Ext4Writer::zero(InodeNumber file, std::uint64_t offset, std::uint64_t length) {
  apply([&](Change& change, InodeSet& inodes) {
    InodeRecord& inode = inodes.get(file);
    const std::uint64_t block_size = change.layout().block_size();
    zero_edges(change, inode, offset, offset + length);
    set_state(change, inode, divide_up(offset, block_size), (offset + length) / block_size,
              RunState::unwritten);
  });
}

void Ext4Writer::collapse(InodeNumber file, std::uint64_t offset, std::uint64_t length) {
  const Layout& layout = volume_->layout;
  const std::uint64_t from = offset >> layout.block_bits;
  const std::uint64_t count = length >> layout.block_bits;
  apply([&](Change&, InodeSet& inodes) {
    check_aligned(layout, offset, length);
    if (offset + length >= size_of(inodes.get(file))) {
      throw_error(EINVAL, layer, "the range to be taken out reaches the end of the file");
    }
  });
  free_range_of(file, from, from + count);
  apply([&](Change& change, InodeSet& inodes) {
    InodeRecord& inode = inodes.get(file);
    shift_blocks(change, inode, from + count, -std::int64_t(count));
    set_file_size(change, inode, size_of(inode) - length);
  });
}

void Ext4Writer::insert(InodeNumber file, std::uint64_t offset, std::uint64_t length) {
  const Layout& layout = volume_->layout;
  apply([&](Change& change, InodeSet& inodes) {
    InodeRecord& inode = inodes.get(file);
    check_aligned(layout, offset, length);
    if (offset >= size_of(inode)) {
      throw_error(EINVAL, layer, "the range to be put in lies at the end of the file");
    }
    check_size(layout, inode, size_of(inode) + length);
    shift_blocks(change, inode, offset >> layout.block_bits,
                 std::int64_t(length >> layout.block_bits));
    set_file_size(change, inode, size_of(inode) + length);
  });
}

}  // namespace vimg::ext4
