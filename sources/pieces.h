// Pieces: a compressed file that can be entered at many places, as a Disk.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "disk/disk.h"

namespace vimg {

// A larger piece is not kept in memory: the file is unpacked instead.  xz -T makes 24 MiB.
constexpr std::uint64_t max_piece = 32U << 20;

// Decodes single pieces; from any thread.
class PieceDecoder {
 public:
  virtual ~PieceDecoder() = default;
  // Fills `out`, which is as long as piece `index`.  Throws Error(EUCLEAN) when it is another
  // length.
  virtual void decode(std::size_t index, Bytes out) const = 0;
};

// The read-only disk of `size` bytes in which piece n begins at starts[n]; starts[0] is 0, they
// strictly increase, and no piece is longer than max_piece.  Decodes ahead of sequential readers.
DiskPtr make_piece_disk(std::vector<std::uint64_t> starts, std::uint64_t size,
                        std::unique_ptr<const PieceDecoder> decoder, std::uint64_t cache_bytes);

}  // namespace vimg
