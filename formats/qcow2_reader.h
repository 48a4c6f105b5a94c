// Reader: the content of a qcow2 image's disk.
#pragma once

#include <cstdint>
#include <memory>

#include "disk/disk.h"
#include "disk/read_ahead.h"
#include "formats/qcow2_compressed.h"
#include "formats/qcow2_map.h"

namespace vimg::qcow2 {

// The disks that an image is made of.
struct Files {
  DiskPtr file;     // the image file
  DiskPtr data;     // where standard clusters lie: the image file or the external data file
  DiskPtr backing;  // decoded; null: none
};

// Whether extents may name host files: not where what lies there may be replaced at any time.
enum class HostExtents { named, unnamed };

// Threads: any, beside a writer that keeps host clusters from being used anew while they are read.
class Reader {
 public:
  // `size`: of the disk in bytes.  `map` outlives this.
  Reader(const Header& header, Files files, const ClusterMap& map, std::uint64_t size,
         HostExtents host_extents, std::uint64_t cache_bytes);

  // As Disk::do_read and Disk::do_extent.
  void read(std::uint64_t offset, Bytes out) const;
  Extent extent(std::uint64_t offset, std::uint64_t max) const;

  CompressedClusters& compressed() const noexcept { return *compressed_; }

 private:
  Mapping run(std::uint64_t offset, std::uint64_t max) const;
  void read_run(const Mapping& run, std::uint64_t offset, Bytes out) const;
  void read_compressed(const Mapping& run, std::uint64_t offset, Bytes out) const;
  void fetch_ahead(std::uint64_t offset, std::uint64_t length) const;
  Extent data_extent(const Mapping& run) const;
  Extent backing_extent(const Mapping& run, std::uint64_t offset) const;

  const Files files_;
  const ClusterMap& map_;
  const std::uint64_t size_;
  const std::uint64_t cluster_size_;
  const HostExtents host_extents_;
  const std::unique_ptr<CompressedClusters> compressed_;
  const std::unique_ptr<ReadAhead> read_ahead_;
};

}  // namespace vimg::qcow2
