// zstd: a Zstandard-compressed image, read frame by frame.
//
// Spec: RFC 8878 section 3.1; zstd contrib/seekable_format/zstd_seekable_compression_format.md.
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "sources/pieces.h"
#include "sources/source.h"
#include "sources/unpack.h"
#include "sources/zstd_frames.h"

namespace vimg {
namespace {

constexpr char layer[] = "zstd";

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};
using Context = std::unique_ptr<ZSTD_DCtx, FreeContext>;

Context make_context() {
  Context context(ZSTD_createDCtx());
  if (!context) {
    throw std::bad_alloc();
  }
  // 128 MiB, what the command line tool takes without being asked for more.
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 27);
  return context;
}

class Frames final : public PieceDecoder {
 public:
  Frames(DiskPtr file, std::vector<ZstdFrame> frames)
      : file_(std::move(file)), frames_(std::move(frames)) {}

  void decode(std::size_t index, Bytes out) const override {
    const ZstdFrame& frame = frames_[index];
    std::vector<std::byte> stored(frame.stored);
    file_->read(frame.place, stored);
    thread_local const Context context = make_context();
    const std::size_t result =
        ZSTD_decompressDCtx(context.get(), out.data(), out.size(), stored.data(), stored.size());
    if (ZSTD_isError(result) != 0) {
      throw_corrupt(layer,
                    fmt::format("frame at {:#x}: {}", frame.place, ZSTD_getErrorName(result)));
    }
    if (result != out.size()) {
      throw_corrupt(layer, fmt::format("frame at {:#x} decodes to {:#x} bytes, expected {:#x}",
                                       frame.place, result, out.size()));
    }
  }

 private:
  const DiskPtr file_;
  const std::vector<ZstdFrame> frames_;
};

class Decoder final : public StreamDecoder {
 public:
  Step decode(ConstBytes in, Bytes out) override {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    const std::size_t result = ZSTD_decompressStream(context_.get(), &output, &input);
    if (ZSTD_isError(result) != 0) {
      throw_corrupt("frame", ZSTD_getErrorName(result));
    }
    return {input.pos, output.pos, result == 0};
  }

 private:
  const Context context_ = make_context();
};

bool probe(const Disk& file, std::string_view) { return begins_with_zstd_frame(file); }

// True when each frame can be decoded in memory by itself.
bool is_readable_by_frames(const std::vector<ZstdFrame>& frames) {
  return std::ranges::all_of(frames, [](const ZstdFrame& frame) {
    return frame.size && *frame.size <= max_piece && frame.stored <= 2 * max_piece;
  });
}

DiskPtr open_frames(DiskPtr file, std::vector<ZstdFrame> frames, std::uint64_t cache_bytes) {
  std::erase_if(frames, [](const ZstdFrame& frame) { return *frame.size == 0; });
  std::vector<std::uint64_t> starts;
  std::uint64_t size = 0;
  for (const ZstdFrame& frame : frames) {
    starts.push_back(size);
    size += *frame.size;  // each is at most max_piece, and their number what fits into the file
  }
  auto decoder = std::make_unique<Frames>(std::move(file), std::move(frames));
  return make_piece_disk(std::move(starts), size, std::move(decoder), cache_bytes);
}

std::vector<SourceImage> open(DiskPtr file, SourceContext& context) {
  const std::string name = name_without(context.file_name(), ".zst");
  std::vector<ZstdFrame> frames = read_zstd_frames(file);
  if (is_readable_by_frames(frames)) {
    return {{name, open_frames(std::move(file), std::move(frames), context.cache_bytes())}};
  }
  context.warn(fmt::format(
      "zstd: was unpacked into a temporary file, as it has frames of more than {} MiB or of an "
      "unknown size; pzstd makes one that can be read from the middle",
      max_piece >> 20));
  Decoder decoder;
  return {{name, unpack(*file, decoder, layer)}};
}

}  // namespace

extern const SourceDriver zstd_source;
const SourceDriver zstd_source{"zstd", "compressed with zstd", SourceDriver::Evidence::content,
                               probe, open};

}  // namespace vimg
