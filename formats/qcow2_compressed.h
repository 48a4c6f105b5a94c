// CompressedClusters: the decoded form of a qcow2 image's compressed clusters, cached.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "disk/block_cache.h"
#include "disk/disk.h"
#include "formats/qcow2_decoder.h"
#include "formats/qcow2_entry.h"

namespace vimg::qcow2 {

// Threads: any.  Each cluster is decoded once however many want it; different ones at once.
class CompressedClusters {
 public:
  CompressedClusters(DiskPtr file, Compression compression, std::uint64_t cluster_size,
                     std::uint64_t cache_bytes);
  // Waits for what prefetch() began.
  ~CompressedClusters();
  CompressedClusters(const CompressedClusters&) = delete;
  CompressedClusters& operator=(const CompressedClusters&) = delete;

  // How many bytes it makes sense to prefetch: what the cache holds several times.
  std::uint64_t window() const noexcept;

  // The whole cluster that `mapping`, which is a compressed one, lies in.
  // Throws Error(EUCLEAN) when it cannot be decoded, or as Disk::read.
  BlockCache::Block get(const Mapping& mapping);
  // Begins to decode it in another thread, where there is one.
  void prefetch(const Mapping& mapping);
  // The host bytes at `host_offset` are no longer those of this compressed cluster.
  void forget(std::uint64_t host_offset);

 private:
  void decode(const Mapping& mapping, Bytes cluster);
  void finish_prefetch() noexcept;
  std::unique_ptr<Decoder> take_decoder();
  void give_back(std::unique_ptr<Decoder> decoder);

  const DiskPtr file_;
  const Compression compression_;
  const std::uint64_t cluster_size_;
  const std::uint64_t cache_bytes_;
  BlockCache cache_;  // by host offset
  std::mutex mutex_;  // guards all below; never held while reading or decoding
  std::condition_variable idle_;
  std::size_t prefetching_ = 0;
  std::vector<std::unique_ptr<Decoder>> decoders_;
};

}  // namespace vimg::qcow2
