#include "formats/qcow2_reader.h"

#include <algorithm>
#include <utility>

#include "disk/checked.h"

namespace vimg::qcow2 {
namespace {

// A run may be given shorter than it is; so one call does not read every L2 table of a disk.
constexpr int max_joined_runs = 64;

// Runs that an L2 table or slice boundary parts although their bytes follow each other; whether
// they may be written in place does not matter to a reader.
bool continues(const Mapping& run, const Mapping& next) noexcept {
  if (run.kind != next.kind || run.kind == Mapping::Kind::compressed) {
    return false;
  }
  return run.kind != Mapping::Kind::data || run.host_offset + run.length == next.host_offset;
}

}  // namespace

Reader::Reader(const Header& header, Files files, const ClusterMap& map, std::uint64_t size,
               HostExtents host_extents, std::uint64_t cache_bytes)
    : files_(std::move(files)),
      map_(map),
      size_(size),
      cluster_size_(header.cluster_size()),
      host_extents_(host_extents),
      compressed_(std::make_unique<CompressedClusters>(files_.file, header.compression,
                                                       header.cluster_size(), cache_bytes)),
      read_ahead_(std::make_unique<ReadAhead>(compressed_->window())) {}

void Reader::read(std::uint64_t offset, Bytes out) const {
  bool fetched_ahead = false;
  while (!out.empty()) {
    const Mapping next = run(offset, out.size());
    if (next.kind == Mapping::Kind::compressed && !fetched_ahead) {
      fetch_ahead(offset, out.size());
      fetched_ahead = true;
    }
    read_run(next, offset, out.first(next.length));
    out = out.subspan(next.length);
    offset += next.length;
  }
}

Mapping Reader::run(std::uint64_t offset, std::uint64_t max) const {
  Mapping run = map_.find(offset, max);
  for (int joined = 0; joined < max_joined_runs && run.length < max; ++joined) {
    const Mapping next = map_.find(offset + run.length, max - run.length);
    if (!continues(run, next)) {
      break;
    }
    run.length += next.length;
  }
  return run;
}

void Reader::read_run(const Mapping& run, std::uint64_t offset, Bytes out) const {
  switch (run.kind) {
    case Mapping::Kind::unallocated:
      if (files_.backing) {
        read_padded(*files_.backing, offset, out);
        break;
      }
      [[fallthrough]];
    case Mapping::Kind::zero:
      std::ranges::fill(out, std::byte{0});
      break;
    case Mapping::Kind::data:
      // The last cluster need not be there to its end.
      read_padded(*files_.data, run.host_offset, out);
      break;
    case Mapping::Kind::compressed:
      read_compressed(run, offset, out);
      break;
  }
}

void Reader::read_compressed(const Mapping& run, std::uint64_t offset, Bytes out) const {
  const BlockCache::Block cluster = compressed_->get(run);
  std::ranges::copy(ConstBytes(*cluster).subspan(offset % cluster_size_, out.size()), out.begin());
}

// The first cluster is left to the caller, who needs it at once.
void Reader::fetch_ahead(std::uint64_t offset, std::uint64_t length) const {
  const ReadAhead::Range range = read_ahead_->note(offset, offset + length);
  const std::uint64_t end = std::min(range.end, size_);
  std::uint64_t at =
      range.begin > offset ? range.begin : round_down(offset, cluster_size_) + cluster_size_;
  while (at < end) {
    const Mapping next = map_.find(at, end - at);
    if (next.kind == Mapping::Kind::compressed) {
      compressed_->prefetch(next);
    }
    at += next.length;
  }
}

Extent Reader::extent(std::uint64_t offset, std::uint64_t max) const {
  const Mapping next = run(offset, max);
  switch (next.kind) {
    case Mapping::Kind::zero:
      return {next.length, Extent::Kind::zero};
    case Mapping::Kind::data:
      return data_extent(next);
    case Mapping::Kind::unallocated:
      return backing_extent(next, offset);
    case Mapping::Kind::compressed:
      break;
  }
  return {next.length, Extent::Kind::data};
}

Extent Reader::data_extent(const Mapping& run) const {
  const std::uint64_t end = files_.data->size();
  if (run.host_offset >= end) {
    return {run.length, Extent::Kind::zero};
  }
  Extent extent = files_.data->extent(run.host_offset, run.length);
  if (extent.kind == Extent::Kind::hole) {
    extent.kind = Extent::Kind::zero;
  }
  if (host_extents_ == HostExtents::unnamed) {
    extent.fd = -1;
    extent.file_offset = 0;
  }
  return extent;
}

Extent Reader::backing_extent(const Mapping& run, std::uint64_t offset) const {
  if (!files_.backing || offset >= files_.backing->size()) {
    return {run.length, Extent::Kind::hole};
  }
  return files_.backing->extent(offset, run.length);
}

}  // namespace vimg::qcow2
