// xz: an xz-compressed image, read block by block through its index.
//
// Spec: The .xz File Format 1.1.0, which liblzma reads.
#include <lzma.h>

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

namespace vimg {
namespace {

constexpr char layer[] = "xz";
constexpr std::string_view magic(
    "\xfd"
    "7zXZ\0",
    6);
constexpr std::uint64_t max_index_memory = 256U << 20;
constexpr std::uint64_t max_decoder_memory = 256U << 20;  // xz -9 needs 65 MiB

const std::uint8_t* input_of(ConstBytes data) {
  return reinterpret_cast<const std::uint8_t*>(data.data());
}
std::uint8_t* output_of(Bytes data) { return reinterpret_cast<std::uint8_t*>(data.data()); }

[[noreturn]] void throw_lzma(lzma_ret code, std::string_view what) {
  if (code == LZMA_MEM_ERROR) {
    throw std::bad_alloc();
  }
  if (code == LZMA_MEMLIMIT_ERROR) {
    throw_unsupported(
        layer, fmt::format("{} needs more than {} MiB of memory", what, max_decoder_memory >> 20));
  }
  if (code == LZMA_OPTIONS_ERROR) {
    throw_unsupported(layer, fmt::format("{} uses a filter that is not known", what));
  }
  throw_corrupt(layer, fmt::format("{} is broken (error {})", what, int(code)));
}

struct Stream : lzma_stream {
  Stream() : lzma_stream(LZMA_STREAM_INIT) {}
  ~Stream() { lzma_end(this); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
};

struct FreeIndex {
  void operator()(lzma_index* index) const noexcept { lzma_index_end(index, nullptr); }
};
using Index = std::unique_ptr<lzma_index, FreeIndex>;

// Every turn either seeks, which the library does once for each stream's ends, or consumes.
Index read_index(const Disk& file) {
  Stream stream;
  lzma_index* raw = nullptr;
  if (const lzma_ret code = lzma_file_info_decoder(&stream, &raw, max_index_memory, file.size());
      code != LZMA_OK) {
    throw_lzma(code, "index");
  }
  std::array<std::byte, 16U << 10> buffer;
  std::uint64_t offset = 0;
  while (true) {
    if (stream.avail_in == 0) {
      const auto length = std::min<std::uint64_t>(buffer.size(), file.size() - offset);
      file.read(offset, Bytes(buffer).first(length));
      stream.next_in = input_of(buffer);
      stream.avail_in = length;
      offset += length;
    }
    const lzma_ret code = lzma_code(&stream, LZMA_RUN);
    if (code == LZMA_STREAM_END) {
      return Index(raw);
    }
    if (code == LZMA_SEEK_NEEDED) {
      offset = std::min<std::uint64_t>(stream.seek_pos, file.size());
      stream.avail_in = 0;
    } else if (code != LZMA_OK) {
      throw_lzma(code, "file, whose end may be missing,");
    }
  }
}

struct Block {
  std::uint64_t place;   // offset in the file
  std::uint64_t stored;  // bytes, with header and check
  lzma_check check;
};

class Blocks final : public PieceDecoder {
 public:
  Blocks(DiskPtr file, std::vector<Block> blocks)
      : file_(std::move(file)), blocks_(std::move(blocks)) {}

  void decode(std::size_t index, Bytes out) const override {
    const Block& place = blocks_[index];
    std::vector<std::byte> stored(place.stored);
    file_->read(place.place, stored);
    const std::string what = fmt::format("block at {:#x}", place.place);
    std::array<lzma_filter, LZMA_FILTERS_MAX + 1> filters;
    lzma_block block = {};
    block.version = 1;
    block.check = place.check;
    block.filters = filters.data();
    block.header_size = lzma_block_header_size_decode(std::to_integer<std::uint8_t>(stored[0]));
    if (block.header_size > stored.size()) {
      throw_corrupt(layer, what + " is shorter than its header");
    }
    const lzma_ret code = lzma_block_header_decode(&block, nullptr, input_of(stored));
    if (code != LZMA_OK) {
      throw_lzma(code, what);
    }
    const lzma_ret result = decode_body(block, stored, out);
    lzma_filters_free(filters.data(), nullptr);
    if (result != LZMA_OK) {
      throw_lzma(result, what);
    }
  }

 private:
  static lzma_ret decode_body(lzma_block& block, ConstBytes stored, Bytes out) {
    if (lzma_raw_decoder_memusage(block.filters) > max_decoder_memory) {
      return LZMA_MEMLIMIT_ERROR;
    }
    std::size_t consumed = block.header_size;
    std::size_t produced = 0;
    const lzma_ret code =
        lzma_block_buffer_decode(&block, nullptr, input_of(stored), &consumed, stored.size(),
                                 output_of(out), &produced, out.size());
    return code == LZMA_OK && produced != out.size() ? LZMA_DATA_ERROR : code;
  }

  const DiskPtr file_;
  const std::vector<Block> blocks_;
};

struct Layout {
  std::vector<std::uint64_t> starts;
  std::vector<Block> blocks;
  std::uint64_t size = 0;
  bool has_large_block = false;
};

// liblzma has checked that the index agrees with the file's size; a block's stored size may exceed
// its content by little only where the encoder was sane, so that is bounded like the content.
Layout layout_of(const lzma_index* index) {
  Layout layout;
  layout.size = lzma_index_uncompressed_size(index);
  lzma_index_iter iter;
  lzma_index_iter_init(&iter, index);
  while (!lzma_index_iter_next(&iter, LZMA_INDEX_ITER_NONEMPTY_BLOCK)) {
    layout.starts.push_back(iter.block.uncompressed_file_offset);
    layout.blocks.push_back(
        {iter.block.compressed_file_offset, iter.block.total_size, iter.stream.flags->check});
    layout.has_large_block |=
        iter.block.uncompressed_size > max_piece || iter.block.total_size > 2 * max_piece;
  }
  return layout;
}

class Decoder final : public StreamDecoder {
 public:
  Decoder() {
    if (lzma_stream_decoder(&stream_, max_decoder_memory, LZMA_CONCATENATED) != LZMA_OK) {
      throw std::bad_alloc();
    }
  }

  // The library goes from stream to stream by itself, and says so at the end of the file only.
  Step decode(ConstBytes in, Bytes out) override {
    stream_.next_in = input_of(in);
    stream_.avail_in = in.size();
    stream_.next_out = output_of(out);
    stream_.avail_out = out.size();
    const lzma_ret code = lzma_code(&stream_, in.empty() ? LZMA_FINISH : LZMA_RUN);
    if (code != LZMA_OK && code != LZMA_STREAM_END && code != LZMA_BUF_ERROR) {
      throw_lzma(code, "stream");
    }
    return {in.size() - stream_.avail_in, out.size() - stream_.avail_out, code == LZMA_STREAM_END};
  }

 private:
  Stream stream_;
};

bool probe(const Disk& file, std::string_view) {
  std::array<std::byte, magic.size()> head{};
  read_padded(file, 0, head);
  return text_of(head) == magic;
}

std::vector<SourceImage> open(DiskPtr file, SourceContext& context) {
  const std::string name = name_without(context.file_name(), ".xz");
  Layout layout = layout_of(read_index(*file).get());
  if (layout.has_large_block) {
    context.warn(
        fmt::format("xz: was unpacked into a temporary file, as it has blocks of more than {} MiB; "
                    "xz --block-size=1MiB makes one that can be read from the middle",
                    max_piece >> 20));
    Decoder decoder;
    return {{name, unpack(*file, decoder, layer)}};
  }
  auto blocks = std::make_unique<Blocks>(std::move(file), std::move(layout.blocks));
  return {{name, make_piece_disk(std::move(layout.starts), layout.size, std::move(blocks),
                                 context.cache_bytes())}};
}

}  // namespace

extern const SourceDriver xz_source;
const SourceDriver xz_source{"xz", "compressed with xz", SourceDriver::Evidence::content, probe,
                             open};

}  // namespace vimg
