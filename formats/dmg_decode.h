// How the chunks of a DMG are compressed.
#pragma once

#include <cstdint>

#include "disk/bytes.h"

namespace vimg::dmg {

// Chunk types as the block table has them.
enum class ChunkType : std::uint32_t {
  zero = 0,
  raw = 1,
  ignored = 2,  // zeros, of which nothing is known
  adc = 0x80000004,
  zlib = 0x80000005,
  bzip2 = 0x80000006,
  lzfse = 0x80000007,
  lzma = 0x80000008,
  comment = 0x7ffffffe,
  end = 0xffffffff,
};

// Decodes `stored` into the whole of `out`.  Throws Error(EUCLEAN) when it is broken or of another
// length, Error(EOPNOTSUPP) for a type that cannot be decoded.  Threads: any.
void decode_chunk(ChunkType type, ConstBytes stored, Bytes out);

// Apple Data Compression, as the above.
void decode_adc(ConstBytes stored, Bytes out);

}  // namespace vimg::dmg
