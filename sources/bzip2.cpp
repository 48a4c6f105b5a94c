// bzip2: a bzip2-compressed image.
//
// The size of a block shows only when it is decoded, so the file is unpacked once.
#include <bzlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "sources/source.h"
#include "sources/unpack.h"

namespace vimg {
namespace {

constexpr char layer[] = "bzip2";

class Decoder final : public StreamDecoder {
 public:
  Decoder() = default;
  ~Decoder() override { end(); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  Step decode(ConstBytes in, Bytes out) override {
    begin();
    // The library takes its input as a pointer to what may be changed, and does not change it.
    stream_.next_in = const_cast<char*>(reinterpret_cast<const char*>(in.data()));
    stream_.avail_in = unsigned(in.size());
    stream_.next_out = reinterpret_cast<char*>(out.data());
    stream_.avail_out = unsigned(out.size());
    const int result = BZ2_bzDecompress(&stream_);
    if (result != BZ_OK && result != BZ_STREAM_END) {
      throw_corrupt("stream", fmt::format("is broken (error {})", result));
    }
    const Step step{in.size() - stream_.avail_in, out.size() - stream_.avail_out,
                    result == BZ_STREAM_END};
    if (step.at_end) {
      end();
    }
    return step;
  }

 private:
  void begin() {
    if (!open_) {
      stream_ = {};
      if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) {
        throw std::bad_alloc();
      }
      open_ = true;
    }
  }
  void end() noexcept {
    if (std::exchange(open_, false)) {
      BZ2_bzDecompressEnd(&stream_);
    }
  }

  bz_stream stream_ = {};
  bool open_ = false;
};

// "BZh", the level, and the magic of a block or of the end of an empty stream.
bool probe(const Disk& file, std::string_view) {
  std::array<std::byte, 10> head{};
  read_padded(file, 0, head);
  const std::string_view text = text_of(head);
  return text.starts_with("BZh") && text[3] >= '1' && text[3] <= '9' &&
         (text.substr(4) == "\x31\x41\x59\x26\x53\x59" ||
          text.substr(4) == "\x17\x72\x45\x38\x50\x90");
}

std::vector<SourceImage> open(DiskPtr file, SourceContext& context) {
  context.warn(
      "bzip2: was unpacked into a temporary file, as bzip2 cannot be read from the middle; "
      "compress it with xz -T0 or in frames with pzstd to have that");
  Decoder decoder;
  return {{name_without(context.file_name(), ".bz2"), unpack(*file, decoder, layer)}};
}

}  // namespace

extern const SourceDriver bzip2_source;
const SourceDriver bzip2_source{"bzip2", "compressed with bzip2", SourceDriver::Evidence::content,
                                probe, open};

}  // namespace vimg
