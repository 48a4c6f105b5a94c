// Ext4Writer::apply: every operation runs in it.
#pragma once

#include "fsdrivers/ext4_writer.h"

namespace vimg::ext4 {

template <typename Action>
auto Ext4Writer::apply(Action&& action) {
  const std::lock_guard lock(metadata_mutex_);
  if (volume_->cache->wants_write_back()) {
    volume_->cache->write_back();
  }
  Change change(*volume_);
  InodeSet inodes(change);
  if constexpr (std::is_void_v<decltype(action(change, inodes))>) {
    action(change, inodes);
    commit(change, inodes);
  } else {
    auto result = action(change, inodes);
    commit(change, inodes);
    return result;
  }
}

}  // namespace vimg::ext4
