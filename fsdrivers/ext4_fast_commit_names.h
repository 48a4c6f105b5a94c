// Replaying what fast commits say of names: created, linked, unlinked.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "fsdrivers/ext4_block_walk.h"
#include "fsdrivers/ext4_inode_buffer.h"
#include "fsdrivers/ext4_io.h"

namespace vimg {

class FastCommitNames {
 public:
  struct Name {
    ext2_ino_t parent;
    ext2_ino_t inode;
    std::string name;
  };

  FastCommitNames(const Ext2Handle& filsys, const BlockSpace& space)
      : filsys_(filsys), space_(space) {}

  // Each is done already, or not possible any more, when the names are not as it expects; then
  // nothing happens, as with the kernel.
  void create(const Name& name);  // its inode's own tag came before
  void link(const Name& name);
  void unlink(const Name& name);

  // Counts again the links of the directories in which directories came and went.
  void recount_links();

 private:
  bool may_hold_names(ext2_ino_t directory) const;
  ext2_ino_t lookup(const Name& name) const;
  void add(const Name& name, InodeBuffer& inode);
  void make_directory(const Name& name, InodeBuffer& inode);
  std::uint32_t count_subdirectories(ext2_ino_t directory) const;

  const Ext2Handle& filsys_;
  BlockSpace space_;
  std::set<ext2_ino_t> changed_directories_;
};

}  // namespace vimg
