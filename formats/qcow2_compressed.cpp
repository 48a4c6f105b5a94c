#include "formats/qcow2_compressed.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg::qcow2 {
namespace {

// Each may hold a buffer of two clusters.
constexpr std::size_t max_spare_decoders = 4;

}  // namespace

CompressedClusters::CompressedClusters(DiskPtr file, Compression compression,
                                       std::uint64_t cluster_size, std::uint64_t cache_bytes)
    : file_(std::move(file)), compression_(compression), clusters_(cluster_size, cache_bytes) {}

BlockCache::Block CompressedClusters::get(const Mapping& mapping) {
  return clusters_.get(mapping.host_offset,
                       [&](std::uint64_t, Bytes cluster) { decode(mapping, cluster); });
}

void CompressedClusters::prefetch(const Mapping& mapping) {
  clusters_.prefetch(mapping.host_offset,
                     [this, mapping](std::uint64_t, Bytes cluster) { decode(mapping, cluster); });
}

// The last cluster's stored length is rounded up to sectors and may pass the file's end.
void CompressedClusters::decode(const Mapping& mapping, Bytes cluster) {
  const std::uint64_t file_size = file_->size();
  if (mapping.host_offset >= file_size) {
    throw_corrupt(layer, fmt::format("compressed cluster at {:#x} lies beyond the file end {:#x}",
                                     mapping.host_offset, file_size));
  }
  std::unique_ptr<Decoder> decoder = take_decoder();
  const Bytes stored =
      decoder->buffer(std::min(mapping.stored_length, file_size - mapping.host_offset));
  file_->read(mapping.host_offset, stored);
  within(fmt::format("{}: compressed cluster at {:#x}", layer, mapping.host_offset),
         [&] { decoder->decode(stored, cluster); });
  give_back(std::move(decoder));
}

std::unique_ptr<Decoder> CompressedClusters::take_decoder() {
  {
    const std::lock_guard lock(mutex_);
    if (!decoders_.empty()) {
      std::unique_ptr<Decoder> decoder = std::move(decoders_.back());
      decoders_.pop_back();
      return decoder;
    }
  }
  return std::make_unique<Decoder>(compression_);
}

void CompressedClusters::give_back(std::unique_ptr<Decoder> decoder) {
  const std::lock_guard lock(mutex_);
  if (decoders_.size() < max_spare_decoders) {
    decoders_.push_back(std::move(decoder));
  }
}

}  // namespace vimg::qcow2
