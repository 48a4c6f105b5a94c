// inflate: zlib streams of a known size decoded in one go.
#pragma once

#include <cstddef>

#include "disk/bytes.h"

namespace vimg {

// Decodes the zlib stream (RFC 1950) that `stored` begins with into `out`; returns how many bytes
// came of it, which may be fewer than `out` has room for.  Bytes may follow the stream.
// Throws Error(EUCLEAN) when it is broken or does not fit.  Threads: any.
std::size_t inflate_zlib(ConstBytes stored, Bytes out);

}  // namespace vimg
