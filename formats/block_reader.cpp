#include "formats/block_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {

BlockReader::BlockReader(const BlockMap& map, BlockDiskParts parts, HostExtents host_extents)
    : map_(map),
      parts_(std::move(parts)),
      host_extents_(host_extents),
      decode_([this](std::uint64_t place, Bytes out) { map_.decode(place, out); }) {
  if (map_.decoded_size() > 0) {
    decoded_ = std::make_unique<DecodedBlocks>(map_.decoded_size(), parts_.cache_bytes);
    read_ahead_ = std::make_unique<ReadAhead>(decoded_->window());
  }
}

void BlockReader::read(std::uint64_t offset, Bytes out) const {
  bool fetched_ahead = false;
  while (!out.empty()) {
    const BlockRun run = map_.find(offset, out.size());
    if (run.kind == BlockRun::Kind::encoded && !fetched_ahead) {
      fetch_ahead(offset, out.size());
      fetched_ahead = true;
    }
    const std::uint64_t length = std::min<std::uint64_t>(run.length, out.size());
    read_run(run, offset, out.first(length));
    out = out.subspan(length);
    offset += length;
  }
}

void BlockReader::read_run(const BlockRun& run, std::uint64_t offset, Bytes out) const {
  switch (run.kind) {
    case BlockRun::Kind::data:
      read_data(run.place, offset, out);
      break;
    case BlockRun::Kind::encoded:
      read_encoded(run, out);
      break;
    case BlockRun::Kind::unmapped:
      if (parts_.backing) {
        read_padded(*parts_.backing, offset, out);
        break;
      }
      [[fallthrough]];
    case BlockRun::Kind::zero:
      std::ranges::fill(out, std::byte{0});
      break;
  }
}

void BlockReader::read_data(std::uint64_t place, std::uint64_t offset, Bytes out) const {
  if (place >= parts_.file->size()) {
    throw_corrupt("image", fmt::format("the data of offset {:#x} lies at {:#x}, beyond the file "
                                       "end {:#x}",
                                       offset, place, parts_.file->size()));
  }
  read_padded(*parts_.file, place, out);
}

void BlockReader::read_encoded(const BlockRun& run, Bytes out) const {
  const BlockCache::Block block = decoded_->get(run.place, decode_);
  std::ranges::copy(ConstBytes(*block).subspan(run.skip, out.size()), out.begin());
}

// Every run of the range but the first, which the caller needs at once, is begun elsewhere.
void BlockReader::fetch_ahead(std::uint64_t offset, std::uint64_t length) const {
  const ReadAhead::Range range = read_ahead_->note(offset, offset + length);
  const std::uint64_t end = std::min(range.end, parts_.size);
  std::uint64_t at = std::max(range.begin, offset);
  while (at < end) {
    const BlockRun run = map_.find(at, end - at);
    if (run.kind == BlockRun::Kind::encoded && at != offset) {
      decoded_->prefetch(run.place, decode_);
    }
    at += run.length;
  }
}

Extent BlockReader::extent(std::uint64_t offset, std::uint64_t max) const {
  const BlockRun run = map_.find(offset, max);
  switch (run.kind) {
    case BlockRun::Kind::data:
      return data_extent(run);
    case BlockRun::Kind::unmapped:
      return backing_extent(offset, run.length);
    case BlockRun::Kind::zero:
      return {run.length, Extent::Kind::zero};
    case BlockRun::Kind::encoded:
      break;
  }
  return {run.length, Extent::Kind::data};
}

Extent BlockReader::data_extent(const BlockRun& run) const {
  if (run.place >= parts_.file->size()) {
    return {run.length, Extent::Kind::data};  // reading it says what is wrong
  }
  Extent extent = parts_.file->extent(run.place, run.length);
  if (extent.kind == Extent::Kind::hole) {
    extent.kind = Extent::Kind::zero;
  }
  if (host_extents_ == HostExtents::unnamed) {
    extent.fd = -1;
    extent.file_offset = 0;
  }
  return extent;
}

Extent BlockReader::backing_extent(std::uint64_t offset, std::uint64_t length) const {
  if (!parts_.backing || offset >= parts_.backing->size()) {
    return {length, Extent::Kind::hole};
  }
  return parts_.backing->extent(offset, length);
}

}  // namespace vimg
