// gzip: a gzip-compressed image, read from the middle through an index that is made at the start.
#include <array>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "sources/gzip_index.h"
#include "sources/pieces.h"
#include "sources/source.h"

namespace vimg {
namespace {

constexpr char layer[] = "gzip";

class Pieces final : public PieceDecoder {
 public:
  Pieces(DiskPtr file, GzipIndex index) : file_(std::move(file)), index_(std::move(index)) {}
  void decode(std::size_t index, Bytes out) const override {
    decode_gzip(*file_, index_, index, out);
  }

 private:
  const DiskPtr file_;
  const GzipIndex index_;
};

// The magic, deflate, and no reserved flag.
bool probe(const Disk& file, std::string_view) {
  std::array<std::byte, 4> head{};
  read_padded(file, 0, head);
  return text_of(Bytes(head).first(3)) == "\x1f\x8b\x08" && std::to_integer<int>(head[3]) < 0x20;
}

std::vector<SourceImage> open(DiskPtr file, SourceContext& context) {
  GzipIndex index = read_gzip_index(*file);
  if (index.largest > max_piece) {
    throw_unsupported(
        layer, fmt::format("{:#x} bytes without a place to begin at, at most {:#x} are possible; "
                           "gunzip unpacks it",
                           index.largest, max_piece));
  }
  std::vector<std::uint64_t> starts;
  for (const GzipPoint& point : index.points) {
    starts.push_back(point.offset);
  }
  const std::uint64_t size = index.size;
  auto pieces = std::make_unique<Pieces>(std::move(file), std::move(index));
  return {{name_without(context.file_name(), ".gz"),
           make_piece_disk(std::move(starts), size, std::move(pieces), context.cache_bytes())}};
}

}  // namespace

extern const SourceDriver gzip_source;
const SourceDriver gzip_source{"gzip", "compressed with gzip", SourceDriver::Evidence::content,
                               probe, open};

}  // namespace vimg
