// Decoder: one compressed cluster of a qcow2 image at a time.
#pragma once

#include <memory>
#include <vector>

#include "disk/bytes.h"
#include "formats/qcow2_header.h"

struct libdeflate_decompressor;
struct ZSTD_DCtx_s;

namespace vimg::qcow2 {

// Keeps its library's context and the buffer for what is read, as both are dear to make.
// Threads: one at a time.
class Decoder {
 public:
  explicit Decoder(Compression compression);

  // A buffer of `size` bytes for the compressed form, valid until the next call.
  Bytes buffer(std::size_t size);
  // Fills `cluster` from the beginning of `stored`, whose rest is not looked at.
  // Throws Error(EUCLEAN) when it does not decode to just that many bytes.
  void decode(ConstBytes stored, Bytes cluster);

 private:
  struct Free {
    void operator()(libdeflate_decompressor* context) const noexcept;
    void operator()(ZSTD_DCtx_s* context) const noexcept;
  };

  void inflate(ConstBytes stored, Bytes cluster);
  void decode_frames(ConstBytes stored, Bytes cluster);

  const Compression compression_;
  std::vector<std::byte> buffer_;
  std::unique_ptr<libdeflate_decompressor, Free> deflate_;
  std::unique_ptr<ZSTD_DCtx_s, Free> zstd_;
};

}  // namespace vimg::qcow2
