// How compressed clusters are added to a qcow2 image.
#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/qcow2_writer.h"

namespace vimg::qcow2 {
namespace {

constexpr std::uint64_t sector = 512;

// Spec: "Compressed Clusters Descriptor".
Entry compressed_entry(std::uint32_t cluster_bits, std::uint64_t offset, std::uint64_t length) {
  const std::uint32_t offset_bits = 62 - (cluster_bits - 8);
  if (offset >> offset_bits != 0) {
    throw_error(ENOSPC, layer,
                fmt::format("compressed clusters cannot lie beyond {:#x}", 1ULL << offset_bits));
  }
  const std::uint64_t more_sectors = (offset + length - 1) / sector - offset / sector;
  return {entry_compressed | more_sectors << offset_bits | offset, 0};
}

}  // namespace

// One caller at a time, so the lock may be held while the data is written.
void Writer::append_compressed(std::uint64_t offset, ConstBytes stored) {
  begin();
  const std::lock_guard lock(mutex_);
  make_table_writable(offset);
  const std::uint64_t host = space_.allocate_bytes(stored.size());
  files_.file->write(host, stored);
  const std::array entry{compressed_entry(geometry_.cluster_bits(), host, stored.size())};
  map_.set_entries(offset, entry);
  limit_changes();
}

// A cluster is shared by as many as its refcount can count.
std::uint64_t HostSpace::allocate_bytes(std::uint64_t length) {
  const std::uint64_t cluster = packed_end_ / cluster_size_;
  const std::uint64_t used = packed_end_ % cluster_size_;
  const bool has_room = used != 0 && refcounts_.get(cluster) < refcounts_.max_count();
  const std::uint64_t room = has_room ? cluster_size_ - used : 0;
  bool goes_on = length <= room;
  std::uint64_t begin = packed_end_;
  if (!goes_on) {
    const HostRun fresh = allocate(1);
    goes_on = room > 0 && fresh.offset == (cluster + 1) * cluster_size_;
    begin = goes_on ? packed_end_ : fresh.offset;
  }
  if (goes_on) {
    refcounts_.set(cluster, refcounts_.get(cluster) + 1);
  }
  packed_end_ = begin + length;
  return begin;
}

}  // namespace vimg::qcow2
