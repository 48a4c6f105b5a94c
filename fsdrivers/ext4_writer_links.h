// Link counts of ext4 directories and files.
#pragma once

#include "fsdrivers/ext4_write_inode.h"

namespace vimg::ext4 {

// Throws Error(EMLINK) when `inode` has as many names, or subdirectories, as it can count.
void check_link_count(const Layout& layout, const InodeRecord& inode);
// A directory that counts no more has 1 for "many" from then on.
void add_link(const Layout& layout, InodeRecord& inode) noexcept;
void remove_link(InodeRecord& inode) noexcept;

}  // namespace vimg::ext4
