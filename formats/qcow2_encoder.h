// Encoder: compresses one cluster of a qcow2 image at a time.
#pragma once

#include <cstddef>
#include <memory>

#include "disk/bytes.h"
#include "formats/qcow2_header.h"

struct libdeflate_compressor;
struct ZSTD_CCtx_s;

namespace vimg::qcow2 {

// Keeps its library's context, which is dear to make.
// Threads: one at a time.
class Encoder {
 public:
  explicit Encoder(Compression compression);

  // Compresses `cluster` to the beginning of `out`; how many bytes that took, 0 when they do not
  // fit.
  std::size_t encode(ConstBytes cluster, Bytes out);

 private:
  struct Free {
    void operator()(libdeflate_compressor* context) const noexcept;
    void operator()(ZSTD_CCtx_s* context) const noexcept;
  };

  std::unique_ptr<libdeflate_compressor, Free> deflate_;  // null: zstd
  std::unique_ptr<ZSTD_CCtx_s, Free> zstd_;
};

}  // namespace vimg::qcow2
