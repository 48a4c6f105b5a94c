#include "formats/vmdk_grain.h"

#include <algorithm>
#include <memory>
#include <new>
#include <vector>

#include <fmt/format.h>
#include <libdeflate.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/vmdk_layout.h"

namespace vimg::vmdk {
namespace {

struct FreeDecompressor {
  void operator()(libdeflate_decompressor* context) const noexcept {
    libdeflate_free_decompressor(context);
  }
};

libdeflate_decompressor* decompressor() {
  thread_local const std::unique_ptr<libdeflate_decompressor, FreeDecompressor> context(
      libdeflate_alloc_decompressor());
  if (!context) {
    throw std::bad_alloc();
  }
  return context.get();
}

// Bytes of the zlib stream.  What does not compress grows a little; QEMU allows for twice.
std::uint64_t stream_size(const SparseLayout& layout, ConstBytes stored, std::uint64_t place) {
  if (!layout.has_markers) {
    return stored.size();
  }
  const auto marker = load<GrainMarker>(stored);
  if (marker.size == 0 || marker.size > 2 * layout.grain_size) {
    throw_corrupt(layer, fmt::format("the compressed grain at {:#x} is {:#x} bytes long, expected "
                                     "1 to {:#x}",
                                     place, marker.size.value(), 2 * layout.grain_size));
  }
  return marker.size;
}

// As much as most grains take, at once, and the rest of those that take more.
std::vector<std::byte> read_stored(const Disk& file, const SparseLayout& layout,
                                   std::uint64_t place) {
  const std::uint64_t skip = layout.has_markers ? sizeof(GrainMarker) : 0;
  const std::uint64_t file_size = file.size();
  if (!fits(place, skip + 1, file_size)) {
    throw_corrupt(layer, fmt::format("the compressed grain at {:#x} lies beyond the file end {:#x}",
                                     place, file_size));
  }
  std::vector<std::byte> stored(std::min(layout.grain_size, file_size - place));
  file.read(place, stored);
  const std::uint64_t needed = skip + stream_size(layout, stored, place);
  if (!fits(place, needed, file_size)) {
    throw_corrupt(layer, fmt::format("the compressed grain at {:#x} (+{:#x}) lies beyond the file "
                                     "end {:#x}",
                                     place, needed, file_size));
  }
  const std::size_t there = stored.size();
  stored.resize(needed);
  if (needed > there) {
    file.read(place + there, Bytes(stored).subspan(there));
  }
  return stored;
}

}  // namespace

// The disk's last grain may be stored as far as the disk goes.
void decode_grain(const Disk& file, const SparseLayout& layout, std::uint64_t grain,
                  std::uint64_t place, Bytes out) {
  const std::vector<std::byte> stored = read_stored(file, layout, place);
  const ConstBytes stream =
      ConstBytes(stored).subspan(layout.has_markers ? sizeof(GrainMarker) : 0);
  std::size_t consumed = 0;
  std::size_t produced = 0;
  const libdeflate_result result = libdeflate_zlib_decompress_ex(
      decompressor(), stream.data(), stream.size(), out.data(), out.size(), &consumed, &produced);
  const std::uint64_t needed =
      std::min<std::uint64_t>(out.size(), layout.capacity - grain * layout.grain_size);
  if (result != LIBDEFLATE_SUCCESS || produced < needed) {
    throw_corrupt(layer,
                  fmt::format("the compressed grain {} at {:#x} {}", grain, place,
                              result == LIBDEFLATE_INSUFFICIENT_SPACE ? "is larger than a grain"
                              : result == LIBDEFLATE_SUCCESS          ? "is shorter than a grain"
                                                                      : "is no zlib stream"));
  }
  std::ranges::fill(out.subspan(produced), std::byte{0});
}

}  // namespace vimg::vmdk
