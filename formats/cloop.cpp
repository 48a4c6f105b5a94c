// cloop: compressed loop images of Knoppix, versions 2.0 (zlib), read-only.
//
// Spec: cloop compressed_loop.h; qemu block/cloop.c.  All integers are big-endian.
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "disk/cached_disk.h"
#include "disk/checked.h"
#include "disk/error.h"
#include "formats/block_disk.h"
#include "formats/driver.h"
#include "formats/inflate.h"

namespace vimg {
namespace {

constexpr char layer[] = "cloop";
constexpr std::string_view magic = "#!/bin/sh\n#V2.0 Format\n";
constexpr std::uint64_t header_offset = 128;           // a shell script stands before
constexpr std::uint32_t max_block_size = 64U << 20;    // QEMU's limit
constexpr std::uint64_t max_table_bytes = 512U << 20;  // the same
constexpr std::uint64_t sector = 512;

struct RawHeader {
  be32 block_size;  // bytes
  be32 block_count;
};
static_assert(sizeof(RawHeader) == 8 && OnDisk<RawHeader>);

constexpr std::uint64_t table_offset = header_offset + sizeof(RawHeader);

struct Header {
  std::uint64_t block_size;
  std::uint64_t block_count;
};

Header read_header(const Disk& file) {
  const auto raw = read_object<RawHeader>(file, header_offset);
  if (raw.block_size == 0 || raw.block_size % sector != 0 || raw.block_size > max_block_size) {
    throw_corrupt(layer, fmt::format("blocks of {:#x} bytes; multiples of {} to {:#x} are possible",
                                     raw.block_size.value(), sector, max_block_size));
  }
  const Header header{raw.block_size, raw.block_count};
  check_table(file, table_offset, header.block_count + 1, sizeof(be64), max_table_bytes, layer,
              "block table");
  return header;
}

// Each block is a zlib stream between its table entry and the next.
class CloopMap final : public BlockMap {
 public:
  CloopMap(const Header& header, DiskPtr file, std::uint64_t cache_bytes)
      : header_(header), file_(std::move(file)), table_(make_cached_disk(file_, cache_bytes)) {}

  BlockRun find(std::uint64_t offset, std::uint64_t max) const override {
    const std::uint64_t skip = offset % header_.block_size;
    return {BlockRun::Kind::encoded, std::min(max, header_.block_size - skip),
            offset / header_.block_size, skip};
  }
  std::uint64_t decoded_size() const noexcept override { return header_.block_size; }

  // What follows a short last block is zeros.
  void decode(std::uint64_t index, Bytes out) const override {
    const std::uint64_t begin = entry(index);
    const std::uint64_t end = entry(index + 1);
    if (end < begin || end - begin > 2 * std::uint64_t{max_block_size} ||
        !fits(begin, end - begin, file_->size())) {
      throw_corrupt(layer,
                    fmt::format("block {} from {:#x} to {:#x} lies beyond the file end {:#x} "
                                "or is too large",
                                index, begin, end, file_->size()));
    }
    std::vector<std::byte> stored(end - begin);
    file_->read(begin, stored);
    const std::size_t produced = within(fmt::format("{}: block {}", layer, index),
                                        [&] { return inflate_zlib(stored, out); });
    std::ranges::fill(out.subspan(produced), std::byte{0});
  }

 private:
  std::uint64_t entry(std::uint64_t index) const {
    return read_object<be64>(*table_, table_offset + index * sizeof(be64));
  }

  const Header header_;
  const DiskPtr file_;
  const DiskPtr table_;
};

bool probe(const Disk& file) {
  std::array<std::byte, magic.size()> head{};
  read_padded(file, 0, head);
  return text_of(head) == magic;
}

DiskPtr open(DiskPtr file, OpenContext& context) {
  if (!context.snapshot().empty()) {
    throw_error(EINVAL, layer, "has no internal snapshots");
  }
  const Header header = read_header(*file);
  BlockDiskParts parts;
  parts.size = header.block_count * header.block_size;
  parts.file = file;
  parts.cache_bytes = context.cache_bytes() / 4 * 3;
  return make_block_disk(
      std::make_unique<CloopMap>(header, std::move(file), context.cache_bytes() / 4),
      std::move(parts));
}

ImageInfo info(const Disk& file) {
  const Header header = read_header(file);
  ImageInfo info;
  info.format = "cloop";
  info.virtual_size = header.block_count * header.block_size;
  info.facts.emplace_back("cluster size", std::to_string(header.block_size));
  return info;
}

}  // namespace

extern const FormatDriver cloop_driver;
const FormatDriver cloop_driver{"cloop", "compressed loop images, version 2, read-only", probe,
                                open, info};

}  // namespace vimg
