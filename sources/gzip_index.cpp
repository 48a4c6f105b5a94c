// Spec: RFC 1952 (gzip), RFC 1951 (deflate).  A point is the beginning of a deflate block with the
// 32 KiB before it, as zlib's examples/zran.c explains.
#include "sources/gzip_index.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/file_io.h"
#include "disk/temporary_file.h"

namespace vimg {
namespace {

constexpr char layer[] = "gzip";
constexpr char windows_name[] = "temporary file";
constexpr std::size_t input_size = 128U << 10;
constexpr int gzip_bits = 15 + 16;
constexpr int deflate_bits = -15;
constexpr std::size_t trailer_size = 8;  // CRC-32 and size

Bytef* zlib_bytes(Bytes data) { return reinterpret_cast<Bytef*>(data.data()); }

// A zlib stream that reads from a file.
class Inflater {
 public:
  Inflater(const Disk& file, std::uint64_t place, int window_bits)
      : file_(file), read_(place), buffer_(input_size) {
    if (inflateInit2(&stream_, window_bits) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  std::uint64_t place() const noexcept { return read_ - stream_.avail_in; }
  // zlib's data_type: bits 0 to 2 unused bits, 6 in the last block, 7 between blocks.
  unsigned state() const noexcept { return unsigned(stream_.data_type); }

  void prime(unsigned bits, std::byte before) {
    inflatePrime(&stream_, int(bits), std::to_integer<int>(before) >> (8 - bits));
  }
  void set_window(Bytes window) {
    inflateSetDictionary(&stream_, zlib_bytes(window), uInt(window.size()));
  }
  std::size_t window(Bytes out) {
    uInt length = 0;
    inflateGetDictionary(&stream_, zlib_bytes(out), &length);
    return length;
  }
  void begin_member() { inflateReset2(&stream_, gzip_bits); }

  // The next byte of the file, nothing at its end.
  bool at_file_end() {
    fill();
    return stream_.avail_in == 0;
  }
  std::byte peek() const noexcept { return std::byte{*stream_.next_in}; }
  void skip(std::size_t count) {
    for (; count > 0; --count) {
      if (at_file_end()) {
        throw_cut();
      }
      ++stream_.next_in;
      --stream_.avail_in;
    }
  }

  // Decodes some into `out`, which shrinks from the front; true at the end of a member.
  bool step(Bytes& out, int flush) {
    fill();
    const std::uint64_t before = place();
    stream_.next_out = zlib_bytes(out);
    stream_.avail_out = uInt(out.size());
    const bool had_input = stream_.avail_in > 0;
    const int result = inflate(&stream_, flush);
    out = out.last(stream_.avail_out);
    if (result == Z_STREAM_END) {
      return true;
    }
    if (result == Z_BUF_ERROR && !had_input) {
      throw_cut();
    }
    if (result != Z_OK && result != Z_BUF_ERROR) {
      throw_corrupt(layer, fmt::format("stream at {:#x}: {}", before,
                                       stream_.msg != nullptr ? stream_.msg : "is broken"));
    }
    return false;
  }

 private:
  void fill() {
    if (stream_.avail_in > 0) {
      return;
    }
    const auto length = std::min<std::uint64_t>(buffer_.size(), file_.size() - read_);
    file_.read(read_, Bytes(buffer_).first(length));
    read_ += length;
    stream_.next_in = zlib_bytes(buffer_);
    stream_.avail_in = uInt(length);
  }
  [[noreturn]] void throw_cut() const {
    throw_corrupt(layer, fmt::format("file ends at {:#x}, within a member", file_.size()));
  }

  const Disk& file_;
  std::uint64_t read_;  // where the next bytes for the buffer lie
  std::vector<std::byte> buffer_;
  z_stream stream_ = {};
};

class IndexBuilder {
 public:
  explicit IndexBuilder(const Disk& file) : inflater_(file, 0, gzip_bits) {
    index_.windows = make_temporary_file();
  }

  // Every turn consumes or produces something, or throws.
  GzipIndex build() {
    add_member();
    while (true) {
      const bool ended = step();
      if (ended && at_end_of_file()) {
        note_length();
        return std::move(index_);
      }
      if (ended) {
        inflater_.begin_member();
        if (is_due()) {
          add_member();
        }
      } else if (between_blocks() && is_due()) {
        add_block();
      }
    }
  }

 private:
  bool step() {
    Bytes out(output_);
    const bool ended = inflater_.step(out, Z_BLOCK);
    index_.size += output_.size() - out.size();
    return ended;
  }
  bool at_end_of_file() {
    const std::uint64_t end = inflater_.place();
    while (!inflater_.at_file_end()) {
      if (inflater_.peek() != std::byte{0}) {
        if (inflater_.place() != end) {
          throw_trailing(end);
        }
        // The header of the next member, which zlib checks when it is more than its first byte.
        if (inflater_.peek() != std::byte{0x1f}) {
          throw_trailing(end);
        }
        return false;
      }
      inflater_.skip(1);
    }
    return true;
  }
  [[noreturn]] static void throw_trailing(std::uint64_t end) {
    throw_corrupt(layer,
                  fmt::format("what follows the member that ends at {:#x} is no member", end));
  }
  bool between_blocks() const noexcept { return (inflater_.state() & 0xc0U) == 0x80U; }
  bool is_due() const noexcept { return index_.size - index_.points.back().offset >= gzip_spacing; }

  void note_length() {
    if (!index_.points.empty()) {
      index_.largest = std::max(index_.largest, index_.size - index_.points.back().offset);
    }
  }
  void add_member() {
    note_length();
    index_.points.push_back({index_.size, inflater_.place(), 0, 0, true});
  }
  void add_block() {
    note_length();
    std::array<std::byte, gzip_window_size> window;
    const std::size_t length = inflater_.window(window);
    const ConstBytes content = ConstBytes(window).first(length);
    if (!all_zero(content)) {  // else the file keeps a hole there
      write_file_range(index_.windows.get(), index_.points.size() * gzip_window_size, content,
                       windows_name);
    }
    index_.points.push_back(
        {index_.size, inflater_.place(), inflater_.state() & 7U, unsigned(length), false});
  }

  Inflater inflater_;
  GzipIndex index_;
  std::vector<std::byte> output_ = std::vector<std::byte>(256U << 10);
};

void enter(Inflater& inflater, const Disk& file, const GzipIndex& index, std::size_t number) {
  const GzipPoint& point = index.points[number];
  if (point.bits > 0) {
    std::array<std::byte, 1> before;
    file.read(point.place - 1, before);
    inflater.prime(point.bits, before[0]);
  }
  if (point.window > 0) {
    // Short where the rest of the file is a hole that was never made.
    std::array<std::byte, gzip_window_size> window{};
    const Bytes content = Bytes(window).first(point.window);
    read_file_range(index.windows.get(), number * gzip_window_size, content, windows_name);
    inflater.set_window(content);
  }
}

}  // namespace

GzipIndex read_gzip_index(const Disk& file) { return IndexBuilder(file).build(); }

// The content from here to the next point was decoded before, so only a file that changed can end
// early; each turn of the loop consumes, produces or throws.
void decode_gzip(const Disk& file, const GzipIndex& index, std::size_t number, Bytes out) {
  const GzipPoint& point = index.points[number];
  bool has_trailer = !point.is_member;
  Inflater inflater(file, point.place, point.is_member ? gzip_bits : deflate_bits);
  enter(inflater, file, index, number);
  while (!out.empty()) {
    if (inflater.step(out, Z_NO_FLUSH) && !out.empty()) {
      if (has_trailer) {
        inflater.skip(trailer_size);
      }
      inflater.begin_member();
      has_trailer = false;
    }
  }
}

}  // namespace vimg
