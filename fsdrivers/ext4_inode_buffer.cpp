#include "fsdrivers/ext4_inode_buffer.h"

#include <fmt/format.h>

namespace vimg {

InodeBuffer::InodeBuffer(const Ext2Handle& filsys, ext2_ino_t number)
    : InodeBuffer(number, EXT2_INODE_SIZE(filsys->super)) {
  filsys.check(ext2fs_read_inode_full(filsys.get(), number_, &**this, int(bytes_.size())),
               fmt::format("inode {}", number_));
}

InodeBuffer InodeBuffer::zeroed(const Ext2Handle& filsys, ext2_ino_t number) {
  return InodeBuffer(number, EXT2_INODE_SIZE(filsys->super));
}

ext2_inode& InodeBuffer::operator*() noexcept {
  void* start = bytes_.data();
  return *static_cast<ext2_inode*>(start);
}

ext2_inode_large& InodeBuffer::large() noexcept {
  void* start = bytes_.data();
  return *static_cast<ext2_inode_large*>(start);
}

Bytes InodeBuffer::i_block() noexcept {
  return std::as_writable_bytes(std::span((**this).i_block));
}

void InodeBuffer::write(const Ext2Handle& filsys) {
  filsys.check(ext2fs_write_inode_full(filsys.get(), number_, &**this, int(bytes_.size())),
               fmt::format("inode {}", number_));
}

}  // namespace vimg
