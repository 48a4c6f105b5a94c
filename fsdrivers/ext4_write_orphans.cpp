#include "fsdrivers/ext4_write_orphans.h"

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"

namespace vimg::ext4 {

// The superblock has the head, each inode the next one where its time of deletion will be.
void add_orphan(Change& change, InodeRecord& inode) {
  inode.raw.dtime = change.super().last_orphan;
  change.edit_super().last_orphan = inode.number;
}

void remove_orphan(Change& change, InodeRecord& inode) {
  const std::uint32_t next = inode.raw.dtime;
  inode.raw.dtime = 0;
  std::uint32_t at = change.super().last_orphan;
  if (at == inode.number) {
    change.edit_super().last_orphan = next;
    return;
  }
  // A list with more steps than there are inodes is a ring.
  for (std::uint32_t left = change.layout().inode_count; at != 0 && left != 0; --left) {
    InodeRecord before = load_inode(change, at);
    if (before.raw.dtime == inode.number) {
      before.raw.dtime = next;
      store_inode(change, before);
      return;
    }
    at = before.raw.dtime;
  }
  throw_corrupt(layer, fmt::format("inode {} is not on the orphan list", inode.number));
}

}  // namespace vimg::ext4
