#include "formats/dmg_decode.h"

#include <bzlib.h>
#include <lzma.h>

#include <algorithm>

#include <fmt/format.h>

#include "disk/error.h"
#include "formats/inflate.h"

namespace vimg::dmg {
namespace {

constexpr char layer[] = "dmg";
constexpr std::uint64_t max_lzma_memory = 256U << 20;

void check_length(std::size_t produced, std::size_t expected) {
  if (produced != expected) {
    throw_corrupt(layer,
                  fmt::format("chunk decodes to {:#x} bytes, expected {:#x}", produced, expected));
  }
}

void decode_bzip2(ConstBytes stored, Bytes out) {
  auto produced = unsigned(out.size());
  // The library takes its input as a pointer to what may be changed, and does not change it.
  const int result =
      BZ2_bzBuffToBuffDecompress(reinterpret_cast<char*>(out.data()), &produced,
                                 const_cast<char*>(reinterpret_cast<const char*>(stored.data())),
                                 unsigned(stored.size()), 0, 0);
  if (result != BZ_OK) {
    throw_corrupt(layer, fmt::format("a bzip2 chunk is broken (error {})", result));
  }
  check_length(produced, out.size());
}

void decode_lzma(ConstBytes stored, Bytes out) {
  std::uint64_t memory = max_lzma_memory;
  std::size_t consumed = 0;
  std::size_t produced = 0;
  const lzma_ret result = lzma_stream_buffer_decode(
      &memory, 0, nullptr, reinterpret_cast<const std::uint8_t*>(stored.data()), &consumed,
      stored.size(), reinterpret_cast<std::uint8_t*>(out.data()), &produced, out.size());
  if (result != LZMA_OK) {
    throw_corrupt(layer, fmt::format("an lzma chunk is broken (error {})", int(result)));
  }
  check_length(produced, out.size());
}

// The output of decode_adc, and how far it is.
struct AdcOutput {
  Bytes out;
  std::size_t done = 0;

  void check_room(std::size_t length) const {
    if (length > out.size() - done) {
      throw_corrupt(layer,
                    fmt::format("an ADC chunk decodes to more than {:#x} bytes", out.size()));
    }
  }
  void append(ConstBytes plain) {
    check_room(plain.size());
    std::ranges::copy(plain, out.begin() + std::ptrdiff_t(done));
    done += plain.size();
  }
  // Byte by byte, as the source may overlap what is written.
  void repeat(std::size_t distance, std::size_t length) {
    check_room(length);
    if (distance > done) {
      throw_corrupt(layer, "an ADC chunk refers to before its beginning");
    }
    for (; length > 0; --length, ++done) {
      out[done] = out[done - distance];
    }
  }
};

ConstBytes take(ConstBytes& stored, std::size_t length) {
  if (length > stored.size()) {
    throw_corrupt(layer, "an ADC chunk ends in the middle");
  }
  const ConstBytes taken = stored.first(length);
  stored = stored.subspan(length);
  return taken;
}

}  // namespace

// Every turn takes a byte of `stored`, so this ends.
void decode_adc(ConstBytes stored, Bytes out) {
  AdcOutput output{out};
  while (!stored.empty() && output.done < out.size()) {
    const auto code = std::to_integer<unsigned>(take(stored, 1)[0]);
    if ((code & 0x80U) != 0) {
      output.append(take(stored, (code & 0x7fU) + 1));
    } else if ((code & 0x40U) != 0) {
      const ConstBytes at = take(stored, 2);
      output.repeat(
          (std::to_integer<std::size_t>(at[0]) << 8 | std::to_integer<std::size_t>(at[1])) + 1,
          (code & 0x3fU) + 4);
    } else {
      const auto low = std::to_integer<std::size_t>(take(stored, 1)[0]);
      output.repeat((std::size_t(code & 3U) << 8 | low) + 1, (code >> 2) + 3);
    }
  }
  check_length(output.done, out.size());
}

void decode_chunk(ChunkType type, ConstBytes stored, Bytes out) {
  switch (type) {
    case ChunkType::zlib:
      check_length(within(layer, [&] { return inflate_zlib(stored, out); }), out.size());
      return;
    case ChunkType::bzip2:
      decode_bzip2(stored, out);
      return;
    case ChunkType::lzma:
      decode_lzma(stored, out);
      return;
    case ChunkType::adc:
      decode_adc(stored, out);
      return;
    case ChunkType::lzfse:
      throw_unsupported(layer,
                        "chunks compressed with LZFSE cannot be decoded; hdiutil convert "
                        "-format UDZO makes an image without them");
    default:
      throw_unsupported(layer,
                        fmt::format("chunks of type {:#x} are not known", std::uint32_t(type)));
  }
}

}  // namespace vimg::dmg
