// Unpacking: a compressed file that has to be decoded from its beginning, decoded once.
#pragma once

#include <cstddef>
#include <string_view>

#include "disk/bytes.h"
#include "disk/disk.h"

namespace vimg {

// Decodes a file of one or more compressed streams, front to back.
class StreamDecoder {
 public:
  struct Step {
    std::size_t consumed;
    std::size_t produced;
    bool at_end;  // of a stream: the file may end here, or another stream begins
  };

  virtual ~StreamDecoder() = default;
  // Decodes some of `in` into `out`; neither is empty, but for `in` at the end of the file.  After
  // at_end the next call begins a new stream.  Throws Error(EUCLEAN).
  virtual Step decode(ConstBytes in, Bytes out) = 0;
};

// The content of `file`, read-only, in a temporary file without a name that is sparse where it is
// zeros.  Zeros may follow the last stream.  Throws Error(EUCLEAN, "LAYER: …") when the file ends
// within a stream, and with the host's errno when there is no room.
DiskPtr unpack(const Disk& file, StreamDecoder& decoder, std::string_view layer);

}  // namespace vimg
