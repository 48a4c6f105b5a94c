// Listing an ext4 directory, from positions that stay valid while it changes.
#pragma once

#include <cstdint>
#include <functional>

#include "fsdrivers/ext4_directory.h"

namespace vimg::ext4 {

// As FileSystem::list.
//
// A directory that has an index, or may be given one, is listed in the order of the hashes of its
// names, and a position is the hash of a name: an entry may move between blocks when an index is
// made or a block is split, but not in this order.  Elsewhere records never move, and a position is
// the offset of a record.
void list_entries(const DirectoryReader& directory, std::uint64_t position,
                  const std::function<bool(const DirectoryEntry&)>& visit);

}  // namespace vimg::ext4
