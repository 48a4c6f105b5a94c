// dmg: Apple's disk images (UDIF), read-only.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "disk/error.h"
#include "formats/block_disk.h"
#include "formats/dmg_chunks.h"
#include "formats/driver.h"

namespace vimg::dmg {
namespace {

constexpr char layer[] = "dmg";

// What no chunk covers is zeros.
class DmgMap final : public BlockMap {
 public:
  DmgMap(Image image, DiskPtr file) : image_(std::move(image)), file_(std::move(file)) {}

  BlockRun find(std::uint64_t offset, std::uint64_t max) const override {
    const std::vector<Chunk>& chunks = image_.chunks;
    const auto next = std::ranges::upper_bound(chunks, offset, {}, &Chunk::offset);
    const std::uint64_t until = next == chunks.end() ? image_.size : next->offset;
    if (next == chunks.begin()) {
      return {BlockRun::Kind::unmapped, std::min(max, until - offset)};
    }
    const Chunk& chunk = *std::prev(next);
    const std::uint64_t skip = offset - chunk.offset;
    if (skip >= chunk.length) {
      return {BlockRun::Kind::unmapped, std::min(max, until - offset)};
    }
    const std::uint64_t length = std::min(max, chunk.length - skip);
    if (chunk.type == ChunkType::raw) {
      return {BlockRun::Kind::data, length, chunk.place + skip};
    }
    return {BlockRun::Kind::encoded, length, std::uint64_t(&chunk - chunks.data()), skip};
  }
  std::uint64_t decoded_size() const noexcept override { return image_.decoded_size; }

  void decode(std::uint64_t index, Bytes out) const override {
    const Chunk& chunk = image_.chunks[index];
    std::vector<std::byte> stored(chunk.stored);
    file_->read(chunk.place, stored);
    within(fmt::format("{}: chunk at {:#x}", layer, chunk.place),
           [&] { decode_chunk(chunk.type, stored, out.first(chunk.length)); });
  }

 private:
  const Image image_;
  const DiskPtr file_;
};

DiskPtr open(DiskPtr file, OpenContext& context) {
  if (!context.snapshot().empty()) {
    throw_error(EINVAL, layer, "has no internal snapshots");
  }
  Image image = read_image(*file);
  BlockDiskParts parts;
  parts.size = image.size;
  parts.file = file;
  parts.cache_bytes = context.cache_bytes();
  return make_block_disk(std::make_unique<DmgMap>(std::move(image), std::move(file)),
                         std::move(parts));
}

ImageInfo info(const Disk& file) {
  ImageInfo info;
  info.format = "dmg";
  info.virtual_size = read_image(file).size;
  return info;
}

}  // namespace
}  // namespace vimg::dmg

namespace vimg {

extern const FormatDriver dmg_driver;
const FormatDriver dmg_driver{"dmg", "Apple disk images (UDIF), read-only", dmg::has_trailer,
                              dmg::open, dmg::info};

}  // namespace vimg
