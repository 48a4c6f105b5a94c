#include "formats/qcow2_encoder.h"

#include <new>

#include <libdeflate.h>
#include <zstd.h>

namespace vimg::qcow2 {
namespace {

constexpr int deflate_level = 6;  // zlib's default, which QEMU takes
constexpr int zstd_level = 3;     // zstd's, the same

}  // namespace

void Encoder::Free::operator()(libdeflate_compressor* context) const noexcept {
  libdeflate_free_compressor(context);
}

void Encoder::Free::operator()(ZSTD_CCtx_s* context) const noexcept { ZSTD_freeCCtx(context); }

Encoder::Encoder(Compression compression) {
  if (compression == Compression::deflate) {
    deflate_.reset(libdeflate_alloc_compressor(deflate_level));
  } else {
    zstd_.reset(ZSTD_createCCtx());
  }
  if (!deflate_ && !zstd_) {
    throw std::bad_alloc();
  }
}

// QEMU inflates with a window of 4 KiB, but a whole cluster in one call; then zlib takes distances
// as long as what that call has put out, so those that libdeflate writes are all right.
std::size_t Encoder::encode(ConstBytes cluster, Bytes out) {
  if (deflate_) {
    return libdeflate_deflate_compress(deflate_.get(), cluster.data(), cluster.size(), out.data(),
                                       out.size());
  }
  const std::size_t length = ZSTD_compressCCtx(zstd_.get(), out.data(), out.size(), cluster.data(),
                                               cluster.size(), zstd_level);
  return ZSTD_isError(length) != 0 ? 0 : length;
}

}  // namespace vimg::qcow2
