// InodeBuffer: an inode of libext2fs with everything behind its first 128 bytes.
#pragma once

#include <cstddef>
#include <vector>

#include "disk/bytes.h"
#include "fsdrivers/ext4_io.h"

namespace vimg {

class InodeBuffer {
 public:
  // Reads inode `number`.  Throws what Ext2Handle::check throws.
  InodeBuffer(const Ext2Handle& filsys, ext2_ino_t number);
  // One that was never used, whatever is on the disk.
  static InodeBuffer zeroed(const Ext2Handle& filsys, ext2_ino_t number);

  ext2_inode& operator*() noexcept;
  ext2_inode* operator->() noexcept { return &**this; }
  ext2_inode_large& large() noexcept;
  // The map of its blocks, or what lies there instead: 60 bytes.
  Bytes i_block() noexcept;
  // The inode as it is in memory: in the order of this machine.
  Bytes bytes() noexcept { return bytes_; }

  void write(const Ext2Handle& filsys);

 private:
  explicit InodeBuffer(ext2_ino_t number, std::size_t size) : number_(number), bytes_(size) {}

  ext2_ino_t number_;
  std::vector<std::byte> bytes_;
};

}  // namespace vimg
