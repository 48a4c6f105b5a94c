// The content of files within one change: blocks found or made for it, and zeros over parts of it.
#pragma once

#include <cstdint>

#include "fsdrivers/ext4_write_inode.h"

namespace vimg::ext4 {

// Makes `file`, which keeps no inline data, ready to hold `data` at `offset`, and has it written at
// commit; `data` stays valid until then.  New blocks are zeros around it.  Throws Error(ENOSPC).
void put_content(Change& change, InodeRecord& file, std::uint64_t offset, ConstBytes data);

// Zeros over the written blocks of [from, to) bytes, which lie in one block; nothing for others.
void put_zeros(Change& change, const InodeRecord& file, std::uint64_t from, std::uint64_t to);

// Sets the size, and what the superblock says of large files.
void set_file_size(Change& change, InodeRecord& file, std::uint64_t size);

}  // namespace vimg::ext4
