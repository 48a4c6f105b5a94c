#include "formats/qcow2_compressed.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "formats/worker_pool.h"

namespace vimg::qcow2 {
namespace {

constexpr std::uint64_t max_window = 1U << 20;
// Each may hold a buffer of two clusters.
constexpr std::size_t max_spare_decoders = 4;

}  // namespace

CompressedClusters::CompressedClusters(DiskPtr file, Compression compression,
                                       std::uint64_t cluster_size, std::uint64_t cache_bytes)
    : file_(std::move(file)),
      compression_(compression),
      cluster_size_(cluster_size),
      cache_bytes_(std::max(cache_bytes, 4 * cluster_size)),
      cache_(cluster_size, cache_bytes_) {}

CompressedClusters::~CompressedClusters() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return prefetching_ == 0; });
}

std::uint64_t CompressedClusters::window() const noexcept {
  return std::clamp(max_window, std::min(2 * cluster_size_, cache_bytes_ / 3), cache_bytes_ / 3);
}

BlockCache::Block CompressedClusters::get(const Mapping& mapping) {
  return cache_.get(mapping.host_offset,
                    [&](std::uint64_t, Bytes cluster) { decode(mapping, cluster); });
}

void CompressedClusters::prefetch(const Mapping& mapping) {
  WorkerPool& pool = WorkerPool::shared();
  if (pool.thread_count() == 0 || cache_.peek(mapping.host_offset)) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    ++prefetching_;
  }
  pool.submit([this, mapping] {
    try {
      get(mapping);
    } catch (const std::exception&) {
      // Nobody has asked for this cluster yet; who does meets the error.
    }
    finish_prefetch();
  });
}

// Notifies under the lock, as the destructor may go on as soon as it is free.
void CompressedClusters::finish_prefetch() noexcept {
  const std::lock_guard lock(mutex_);
  --prefetching_;
  idle_.notify_all();
}

void CompressedClusters::forget(std::uint64_t host_offset) { cache_.invalidate(host_offset); }

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
