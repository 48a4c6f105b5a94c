// BlockReader: reads the disk that a BlockMap describes.
#pragma once

#include <cstdint>
#include <memory>

#include "disk/decoded_blocks.h"
#include "disk/read_ahead.h"
#include "formats/block_disk.h"

namespace vimg {

// Threads: any.
class BlockReader {
 public:
  enum class HostExtents { named, unnamed };

  // `map` outlives it.
  BlockReader(const BlockMap& map, BlockDiskParts parts, HostExtents host_extents);

  const BlockDiskParts& parts() const noexcept { return parts_; }

  void read(std::uint64_t offset, Bytes out) const;
  // The bytes of one run that the map gave for `offset`; `out` is at most as long.
  void read_run(const BlockRun& run, std::uint64_t offset, Bytes out) const;
  Extent extent(std::uint64_t offset, std::uint64_t max) const;

 private:
  void read_data(std::uint64_t place, std::uint64_t offset, Bytes out) const;
  void read_encoded(const BlockRun& run, Bytes out) const;
  void fetch_ahead(std::uint64_t offset, std::uint64_t length) const;
  Extent data_extent(const BlockRun& run) const;
  Extent backing_extent(std::uint64_t offset, std::uint64_t length) const;

  const BlockMap& map_;
  const BlockDiskParts parts_;
  const HostExtents host_extents_;
  const DecodedBlocks::Decode decode_;
  std::unique_ptr<ReadAhead> read_ahead_;   // null: nothing is encoded
  std::unique_ptr<DecodedBlocks> decoded_;  // the same
};

}  // namespace vimg
