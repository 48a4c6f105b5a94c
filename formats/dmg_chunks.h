// The chunks that a DMG is made of, from the block tables in its property list or resource fork.
#pragma once

#include <cstdint>
#include <vector>

#include "disk/disk.h"
#include "formats/dmg_decode.h"

namespace vimg::dmg {

struct Chunk {
  std::uint64_t offset;  // bytes, on the disk
  std::uint64_t length;  // bytes, on the disk
  std::uint64_t place;   // bytes, in the file
  std::uint64_t stored;  // bytes, in the file
  ChunkType type;

  bool is_zero() const noexcept { return type == ChunkType::zero || type == ChunkType::ignored; }
  bool is_encoded() const noexcept { return !is_zero() && type != ChunkType::raw; }
};

struct Image {
  std::uint64_t size = 0;          // bytes, of the disk
  std::uint64_t decoded_size = 0;  // bytes, of the largest encoded chunk
  std::vector<Chunk> chunks;       // in the order of their offsets, without overlap or zeros
};

// True when the file ends with the trailer of a DMG.
bool has_trailer(const Disk& file);

// Throws Error(EUCLEAN) when a table is broken or leaves the file.  Memory is in proportion to the
// tables, which lie in the file and are 64 MiB at most.
Image read_image(const Disk& file);

}  // namespace vimg::dmg
