// HostSpace: gives out the clusters of a qcow2 image file and takes them back.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "disk/disk.h"
#include "formats/qcow2_metadata.h"
#include "formats/qcow2_refcounts.h"

namespace vimg::qcow2 {

// Host clusters that follow each other.
struct HostRun {
  std::uint64_t offset;  // in the image file
  std::uint64_t count;   // clusters
  bool reads_zero;       // nothing was ever written there
};

// Keeps the refcounts, their blocks and table, and the file's length in step.
//
// Threads: one at a time.
class HostSpace {
 public:
  // `refcounts` and `metadata` outlive this.
  HostSpace(DiskPtr file, Refcounts& refcounts, Metadata& metadata);

  // One to `most` clusters, each with a refcount of one now.  Throws Error(ENOSPC) when the format
  // or the host has no room for more, Error(EUCLEAN) when a table lies where nothing should be.
  HostRun allocate(std::uint64_t most);
  // A place for `length` bytes, fewer than a cluster, right behind those of the call before if that
  // is possible; every cluster that they lie in counts them.  Throws as allocate() does.
  std::uint64_t allocate_bytes(std::uint64_t length);
  // Lowers the cluster's refcount.  True when it is free now.
  // Throws Error(EUCLEAN) when it was free already.
  bool release(std::uint64_t offset);

  // Makes clusters at `offset`, which is beyond all that are in use, part of the file; their
  // refcounts are the caller's to set.
  void extend(std::uint64_t offset, std::uint64_t count);

  // Where the refcount table was before it moved; it is in use until the header is durable.
  std::vector<HostRun> take_retired() { return std::exchange(retired_, {}); }

  // Throws Error(EUCLEAN) when `end` lies too far beyond the file's end for anything to be there:
  // following such a number would make the file as long as an image says.
  void check_near_end(std::uint64_t end) const;
  // Makes the file at least `end` bytes long, and more, so that it grows in few steps.
  void grow_to(std::uint64_t end);
  // Cuts off what grow_to() made beyond the last cluster in use.
  void trim();

 private:
  std::uint64_t find_free(std::uint64_t least, std::uint64_t most, std::uint64_t& count);
  HostRun take(std::uint64_t cluster, std::uint64_t count);
  HostRun note_use(std::uint64_t cluster, std::uint64_t count);
  void add_block(std::uint64_t cluster);
  void grow_table(std::uint64_t regions);

  const DiskPtr file_;
  Refcounts& refcounts_;
  Metadata& metadata_;
  const std::uint64_t cluster_size_;
  std::uint64_t next_free_ = 0;   // no cluster before this one is free
  std::uint64_t untouched_from_;  // offset; nothing beyond it was ever written
  std::uint64_t used_end_;        // offset; what the file is cut back to
  std::uint64_t packed_end_ = 0;  // where allocate_bytes() has got to
  std::vector<HostRun> retired_;
};

}  // namespace vimg::qcow2
