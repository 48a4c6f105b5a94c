#include "fsdrivers/ext4_writer.h"

#include <utility>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_inodes.h"
#include "fsdrivers/ext4_write_map.h"
#include "fsdrivers/ext4_write_mmp.h"
#include "fsdrivers/ext4_write_orphans.h"
#include "fsdrivers/ext4_write_xattr.h"
#include "fsdrivers/ext4_writer_apply.h"

namespace vimg::ext4 {

InodeRecord& InodeSet::get(InodeNumber number) {
  const auto found = inodes_.find(std::uint32_t(number));
  if (found != inodes_.end() && found->first == number) {
    return found->second;
  }
  return add(load_inode(change_, number));
}

InodeRecord& InodeSet::add(InodeRecord inode) {
  const std::uint32_t number = inode.number;
  return inodes_.insert_or_assign(number, std::move(inode)).first->second;
}

void InodeSet::store() {
  for (const auto& [number, inode] : inodes_) {
    store_inode(change_, inode);
    change_.note_inode(number);
  }
}

Ext4Writer::Ext4Writer(std::unique_ptr<WriteVolume> volume, Ext4FileSystem& reader)
    : volume_(std::move(volume)), reader_(reader) {
  volume_->publish_mutex = &reader.changes();
  volume_->on_block = [this](std::uint64_t block) { reader_.volume().invalidate(block); };
  volume_->on_inode = [this](std::uint32_t inode) { reader_.content().invalidate(inode); };
  mark_in_use();
}

void Ext4Writer::mark_in_use() {
  apply([&](Change& change, InodeSet&) {
    take_mmp(change);
    Superblock& super = change.edit_super();
    state_at_open_ = super.state;
    super.state = std::uint16_t(super.state & ~state_clean);
    super.mount_count = std::uint16_t(super.mount_count + 1);
    const std::int64_t now = current_time().tv_sec;
    super.mount_time = std::uint32_t(now);
    super.mount_time_high = std::uint8_t(now >> 32);
    super.write_time = super.mount_time;
    super.write_time_high = super.mount_time_high;
  });
}

void Ext4Writer::commit(Change& change, InodeSet& inodes) {
  inodes.store();
  change.commit();
}

std::shared_mutex& Ext4Writer::content_lock(InodeNumber inode) {
  return reader_.content_lock(inode);
}

void Ext4Writer::flush() {
  {
    // Between two operations, so that none is written by half.
    const std::lock_guard lock(metadata_mutex_);
    volume_->cache->write_back();
  }
  volume_->cache->disk()->flush();
}

void Ext4Writer::release(InodeNumber inode) {
  {
    // Taken off before it is freed: then its number may be used, and be nameless, again.
    const std::lock_guard lock(metadata_mutex_);
    if (nameless_.erase(std::uint32_t(inode)) == 0) {
      return;
    }
  }
  const std::unique_lock alone(content_lock(inode));
  free_nameless(inode);
}

void Ext4Writer::free_nameless(InodeNumber number) {
  free_range_of(number, 0, every_block);
  apply([&](Change& change, InodeSet&) {
    InodeRecord inode = load_inode(change, number);
    remove_orphan(change, inode);
    drop_xattrs(change, inode);
    free_inode(change, inode);
    change.note_inode(inode.number);
  });
}

void Ext4Writer::finish() {
  while (true) {
    InodeNumber number = 0;
    {
      const std::lock_guard lock(metadata_mutex_);
      if (nameless_.empty()) {
        break;
      }
      number = *nameless_.begin();
      nameless_.erase(nameless_.begin());
    }
    free_nameless(number);
  }
  flush();
  apply([&](Change& change, InodeSet&) {
    leave_mmp(change);
    Superblock& super = change.edit_super();
    super.state = std::uint16_t(super.state | (state_at_open_ & state_clean));
    const std::int64_t now = current_time().tv_sec;
    super.write_time = std::uint32_t(now);
    super.write_time_high = std::uint8_t(now >> 32);
  });
  flush();
}

}  // namespace vimg::ext4
