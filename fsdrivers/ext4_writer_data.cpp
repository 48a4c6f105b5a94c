// Ext4Writer: the content of files, and their size.
#include <cerrno>
#include <optional>

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

// Where bytes go that only replace others.
struct Target {
  std::uint64_t offset;  // on the Disk
  ConstBytes data;
};

// Empty unless every block is there and written, and the file does not grow.
std::vector<Target> targets_of(Change& change, const InodeRecord& file, std::uint64_t offset,
                               ConstBytes data) {
  const Layout& layout = change.layout();
  std::vector<Target> targets;
  if (file.has_flag(inode_inline_data) || !fits(offset, data.size(), size_of(file))) {
    return targets;
  }
  while (!data.empty()) {
    const std::uint64_t end = divide_up(offset + data.size(), layout.block_size());
    const MappedRun run = find_run(change, file, offset >> layout.block_bits, end);
    if (run.state != RunState::written) {
      return {};
    }
    const std::uint64_t within_block = offset % layout.block_size();
    const std::size_t count = std::size_t(
        std::min<std::uint64_t>(data.size(), (run.length << layout.block_bits) - within_block));
    targets.push_back({(run.physical << layout.block_bits) + within_block, data.first(count)});
    data = data.subspan(count);
    offset += count;
  }
  return targets;
}

void check_append_only(const InodeRecord& file, std::uint64_t offset) {
  if (file.has_flag(inode_append_only) && offset < size_of(file)) {
    throw_error(EPERM, layer, fmt::format("inode {} is only to be appended to", file.number));
  }
}

}  // namespace

void Ext4Writer::write(InodeNumber file, std::uint64_t offset, ConstBytes data, TimeUpdate times) {
  if (data.empty()) {
    return;
  }
  if (!try_overwrite(file, offset, data, times)) {
    write_allocating(file, offset, data, times);
  }
}

bool Ext4Writer::try_overwrite(InodeNumber file, std::uint64_t offset, ConstBytes data,
                               TimeUpdate times) {
  const std::shared_lock shared(content_lock(file));
  const std::vector<Target> targets = apply([&](Change& change, InodeSet& inodes) {
    InodeRecord inode = load_inode(change, file);
    check_can_write(inode);
    check_append_only(inode, offset);
    std::vector<Target> found = targets_of(change, inode, offset, data);
    if (!found.empty() && times == TimeUpdate::now) {
      touch(inode);
      inodes.add(std::move(inode));
    }
    return found;
  });
  for (const Target& target : targets) {
    volume_->cache->disk()->write(target.offset, target.data);
  }
  return !targets.empty();
}

void Ext4Writer::write_allocating(InodeNumber file, std::uint64_t offset, ConstBytes data,
                                  TimeUpdate times) {
  const std::unique_lock alone(content_lock(file));
  apply([&](Change& change, InodeSet& inodes) {
    InodeRecord& inode = inodes.get(file);
    check_can_write(inode);
    check_append_only(inode, offset);
    const auto end = checked_add(offset, data.size());
    check_size(change.layout(), inode, end.value_or(UINT64_MAX));
    if (inode.has_flag(inode_inline_data)) {
      move_file_to_blocks(change, inode);
    }
    put_content(change, inode, offset, data);
    if (*end > size_of(inode)) {
      set_file_size(change, inode, *end);
    }
    if (times == TimeUpdate::now) {
      touch(inode);
    }
  });
}

void Ext4Writer::resize(InodeNumber file, std::uint64_t size) {
  const std::unique_lock alone(content_lock(file));
  const auto first_unused = apply([&](Change& change, InodeSet& inodes) {
    const Layout& layout = change.layout();
    InodeRecord& inode = inodes.get(file);
    check_can_write(inode);
    if (inode.has_flag(inode_append_only)) {
      throw_error(EPERM, layer, fmt::format("inode {} is only to be appended to", file));
    }
    check_size(layout, inode, size);
    if (inode.has_flag(inode_inline_data)) {
      set_size(inode, std::min(size, size_of(inode)));
      move_file_to_blocks(change, inode);
    }
    const bool shrinks = size <= size_of(inode);
    const std::uint64_t unused = divide_up(size, layout.block_size());
    if (shrinks) {
      put_zeros(change, inode, size, unused << layout.block_bits);
    }
    if (size != size_of(inode)) {
      touch(inode);
    }
    set_file_size(change, inode, size);
    return shrinks ? unused : every_block;
  });
  free_range_of(file, first_unused, every_block);
}

void Ext4Writer::free_range_of(InodeNumber file, std::uint64_t from_block, std::uint64_t to_block) {
  while (from_block < to_block) {
    from_block = apply([&](Change& change, InodeSet& inodes) {
      InodeRecord& inode = inodes.get(file);
      return has_block_map(inode) ? free_range(change, inode, from_block, to_block) : to_block;
    });
  }
}

}  // namespace vimg::ext4
