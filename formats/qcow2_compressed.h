// CompressedClusters: the decoded form of a qcow2 image's compressed clusters, cached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "disk/decoded_blocks.h"
#include "disk/disk.h"
#include "formats/qcow2_decoder.h"
#include "formats/qcow2_entry.h"

namespace vimg::qcow2 {

// Threads: any.  Each cluster is decoded once however many want it; different ones at once.
class CompressedClusters {
 public:
  CompressedClusters(DiskPtr file, Compression compression, std::uint64_t cluster_size,
                     std::uint64_t cache_bytes);

  // How many bytes it makes sense to prefetch.
  std::uint64_t window() const noexcept { return clusters_.window(); }

  // The whole cluster that `mapping`, which is a compressed one, lies in.
  // Throws Error(EUCLEAN) when it cannot be decoded, or as Disk::read.
  BlockCache::Block get(const Mapping& mapping);
  // Begins to decode it in another thread, where there is one.
  void prefetch(const Mapping& mapping);
  // The host bytes at `host_offset` are no longer those of this compressed cluster.
  void forget(std::uint64_t host_offset) { clusters_.forget(host_offset); }

 private:
  void decode(const Mapping& mapping, Bytes cluster);
  std::unique_ptr<Decoder> take_decoder();
  void give_back(std::unique_ptr<Decoder> decoder);

  const DiskPtr file_;
  const Compression compression_;
  std::mutex mutex_;  // guards the spare decoders; never held while reading or decoding
  std::vector<std::unique_ptr<Decoder>> decoders_;
  DecodedBlocks clusters_;  // by host offset; last, as it decodes until it is gone
};

}  // namespace vimg::qcow2
