// Finding an entry of an ext4 directory by its name.
#pragma once

#include <optional>
#include <string_view>

#include "fsdrivers/ext4_directory.h"

namespace vimg::ext4 {

// By the index where there is one.  In an encrypted directory `name` is one that stands for the
// ciphertext.  Throws Error(EUCLEAN) for broken records on the way.
std::optional<InodeNumber> find_entry(const DirectoryReader& directory, std::string_view name);

}  // namespace vimg::ext4
