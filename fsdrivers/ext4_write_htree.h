// Indexed directories: entries by the hash of their names, added with all the splits that takes.
#pragma once

#include <string_view>

#include "fsdrivers/ext4_write_directory.h"

namespace vimg::ext4 {

// Throws Error(EUCLEAN) when the index is broken on the way.
std::optional<FoundEntry> find_indexed(Change& change, const InodeRecord& directory,
                                       std::string_view name);
// Throws Error(ENOSPC) also when the index cannot grow deeper.
void add_indexed(Change& change, InodeRecord& directory, const NewRecord& record);
// Gives a directory of one block an index; its entries move to a second block.
void make_index(Change& change, InodeRecord& directory);

}  // namespace vimg::ext4
