#include "formats/inflate.h"

#include <memory>
#include <new>

#include <libdeflate.h>

#include "disk/error.h"

namespace vimg {
namespace {

struct Free {
  void operator()(libdeflate_decompressor* context) const noexcept {
    libdeflate_free_decompressor(context);
  }
};

// One for each thread: making one costs more than a small block.
libdeflate_decompressor* own_decompressor() {
  thread_local const std::unique_ptr<libdeflate_decompressor, Free> own(
      libdeflate_alloc_decompressor());
  if (!own) {
    throw std::bad_alloc();
  }
  return own.get();
}

}  // namespace

std::size_t inflate_zlib(ConstBytes stored, Bytes out) {
  std::size_t consumed = 0;
  std::size_t produced = 0;
  const libdeflate_result result =
      libdeflate_zlib_decompress_ex(own_decompressor(), stored.data(), stored.size(), out.data(),
                                    out.size(), &consumed, &produced);
  if (result == LIBDEFLATE_INSUFFICIENT_SPACE) {
    throw_corrupt("zlib", "the stream decodes to more than a block");
  }
  if (result != LIBDEFLATE_SUCCESS) {
    throw_corrupt("zlib", "the stream is broken");
  }
  return produced;
}

}  // namespace vimg
