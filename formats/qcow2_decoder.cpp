#include "formats/qcow2_decoder.h"

#include <new>

#include <fmt/format.h>
#include <libdeflate.h>
#include <zstd.h>

#include "disk/error.h"

namespace vimg::qcow2 {
namespace {

[[noreturn]] void throw_zstd(std::size_t code) { throw_corrupt("zstd", ZSTD_getErrorName(code)); }

}  // namespace

void Decoder::Free::operator()(libdeflate_decompressor* context) const noexcept {
  libdeflate_free_decompressor(context);
}

void Decoder::Free::operator()(ZSTD_DCtx_s* context) const noexcept { ZSTD_freeDCtx(context); }

Decoder::Decoder(Compression compression) : compression_(compression) {
  if (compression == Compression::deflate) {
    deflate_.reset(libdeflate_alloc_decompressor());
  } else {
    zstd_.reset(ZSTD_createDCtx());
  }
  if (!deflate_ && !zstd_) {
    throw std::bad_alloc();
  }
}

Bytes Decoder::buffer(std::size_t size) {
  if (buffer_.size() < size) {
    buffer_.resize(size);
  }
  return Bytes(buffer_).first(size);
}

void Decoder::decode(ConstBytes stored, Bytes cluster) {
  if (compression_ == Compression::deflate) {
    inflate(stored, cluster);
  } else {
    decode_frames(stored, cluster);
  }
}

// The stored length is rounded up to sectors, so bytes of something else may follow the stream.
void Decoder::inflate(ConstBytes stored, Bytes cluster) {
  std::size_t consumed = 0;
  std::size_t produced = 0;
  const libdeflate_result result =
      libdeflate_deflate_decompress_ex(deflate_.get(), stored.data(), stored.size(), cluster.data(),
                                       cluster.size(), &consumed, &produced);
  if (result == LIBDEFLATE_INSUFFICIENT_SPACE) {
    throw_corrupt("deflate", "the stream decodes to more than a cluster");
  }
  if (result != LIBDEFLATE_SUCCESS) {
    throw_corrupt("deflate", "the stream is broken");
  }
  if (produced != cluster.size()) {
    throw_corrupt("deflate", fmt::format("the stream decodes to {:#x} bytes, expected {:#x}",
                                         produced, cluster.size()));
  }
}

// Usually one frame.  Every frame takes bytes of `stored`, so this ends.
void Decoder::decode_frames(ConstBytes stored, Bytes cluster) {
  while (!cluster.empty()) {
    const std::size_t frame = ZSTD_findFrameCompressedSize(stored.data(), stored.size());
    if (ZSTD_isError(frame) != 0) {
      throw_zstd(frame);
    }
    const std::size_t produced =
        ZSTD_decompressDCtx(zstd_.get(), cluster.data(), cluster.size(), stored.data(), frame);
    if (ZSTD_isError(produced) != 0) {
      throw_zstd(produced);
    }
    cluster = cluster.subspan(produced);
    stored = stored.subspan(frame);
  }
}

}  // namespace vimg::qcow2
