// Inline data: what a small file or directory keeps in its inode, and its move to blocks.
#pragma once

#include <cstdint>
#include <vector>

#include "fsdrivers/ext4_write_inode.h"

namespace vimg::ext4 {

struct InlineParts {
  Bytes first;  // the 60 bytes of the block map
  Bytes rest;   // the value of the attribute system.data; may be empty
};

// Both lie in `inode`.  Throws Error(EUCLEAN) for broken attributes.
InlineParts inline_parts(InodeRecord& inode);
// The bytes of an inline file, as many as its size says and the inode has.
std::vector<std::byte> inline_content(const InodeRecord& inode);

// Puts an inline file's bytes into blocks of its own.  Throws Error(ENOSPC).
void move_file_to_blocks(Change& change, InodeRecord& inode);
// The same for a directory.
void move_directory_to_block(Change& change, InodeRecord& directory);

}  // namespace vimg::ext4
