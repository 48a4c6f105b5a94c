// The mount options of ext4.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "fsdrivers/ext4_format.h"

namespace vimg::ext4 {

enum class Recovery { replay, skip };      // noload, norecovery
enum class CountedBlocks { usable, all };  // bsddf, minixdf: whether overhead is subtracted

struct Options {
  Recovery recovery = Recovery::replay;
  CountedBlocks counted_blocks = CountedBlocks::usable;
  std::uint64_t superblock_offset = ext4::superblock_offset;  // sb=
};

// Options that change nothing here are taken and ignored.  Throws Error(EINVAL) for those that the
// kernel does not know, and for a bad value.
Options parse_options(std::span<const std::string> options);

}  // namespace vimg::ext4
