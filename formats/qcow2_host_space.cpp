#include "formats/qcow2_host_space.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg::qcow2 {
namespace {

constexpr std::uint64_t min_growth = 1U << 20;   // bytes
constexpr std::uint64_t max_growth = 64U << 20;  // bytes
// A crash can leave clusters that are counted, or even mapped, and were never written.
constexpr std::uint64_t max_beyond_end = 1U << 30;  // bytes

// Gives the refcount table its old size back when no place was found for the new one.
struct ShrinkUnless {
  Refcounts& refcounts;
  std::uint64_t old_regions;
  bool moved = false;

  ~ShrinkUnless() {
    if (!moved) {
      refcounts.resize_table(old_regions);
    }
  }
};

}  // namespace

HostSpace::HostSpace(DiskPtr file, Refcounts& refcounts, Metadata& metadata)
    : file_(std::move(file)),
      refcounts_(refcounts),
      metadata_(metadata),
      cluster_size_(refcounts.cluster_size()),
      untouched_from_(file_->size()),
      used_end_(file_->size()) {}

HostRun HostSpace::allocate(std::uint64_t most) {
  std::uint64_t count = 0;
  const std::uint64_t cluster = find_free(1, most, count);
  return take(cluster, count);
}

// The first `least` to `most` free clusters in a row.  Goes up from next_free_ and ends, at the
// latest, not far beyond the file's end.
std::uint64_t HostSpace::find_free(std::uint64_t least, std::uint64_t most, std::uint64_t& count) {
  std::uint64_t cluster = next_free_;
  count = 0;
  while (count < most) {
    const std::uint64_t at = cluster + count;
    check_near_end(at * cluster_size_);
    const std::uint64_t region = refcounts_.region_of(at);
    if (region >= refcounts_.region_count()) {
      if (count >= least) {
        break;
      }
      grow_table(region + 1);
      // The table may lie where the search had got to.
      cluster = next_free_;
      count = 0;
      continue;
    }
    if (refcounts_.block(region) == 0) {
      add_block(at);
    }
    const Refcounts::Run run = refcounts_.run(at);
    if (run.free) {
      count = std::min(count + run.count, most);
    } else if (count >= least) {
      break;
    } else {
      cluster = at + run.count;
      count = 0;
    }
  }
  return cluster;
}

HostRun HostSpace::take(std::uint64_t cluster, std::uint64_t count) {
  const std::uint64_t offset = cluster * cluster_size_;
  const std::uint64_t end = offset + count * cluster_size_;
  if (end > max_host_offset) {
    throw_error(ENOSPC, layer,
                fmt::format("the image file cannot grow beyond {:#x}", max_host_offset));
  }
  metadata_.check_no_table(offset, end - offset);
  grow_to(end);
  for (std::uint64_t i = 0; i < count; ++i) {
    refcounts_.set(cluster + i, 1);
  }
  return note_use(cluster, count);
}

HostRun HostSpace::note_use(std::uint64_t cluster, std::uint64_t count) {
  const std::uint64_t offset = cluster * cluster_size_;
  const std::uint64_t end = offset + count * cluster_size_;
  if (cluster == next_free_) {
    next_free_ += count;
  }
  const bool reads_zero = offset >= untouched_from_;
  untouched_from_ = std::max(untouched_from_, end);
  used_end_ = std::max(used_end_, end);
  return {offset, count, reads_zero};
}

bool HostSpace::release(std::uint64_t offset) {
  const std::uint64_t cluster = offset / cluster_size_;
  const std::uint64_t count = refcounts_.get(cluster);
  if (count == 0) {
    throw_corrupt(layer, fmt::format("the cluster at {:#x} is in use but its refcount is 0",
                                     cluster * cluster_size_));
  }
  refcounts_.set(cluster, count - 1);
  if (count > 1) {
    return false;
  }
  next_free_ = std::min(next_free_, cluster);
  return true;
}

void HostSpace::extend(std::uint64_t offset, std::uint64_t count) {
  grow_to(offset + count * cluster_size_);
  note_use(offset / cluster_size_, count);
}

// A region without a block has only free clusters, so the block can be the first thing in it that
// it counts.
void HostSpace::add_block(std::uint64_t cluster) {
  const std::uint64_t offset = cluster * cluster_size_;
  metadata_.check_no_table(offset, cluster_size_);
  grow_to(offset + cluster_size_);
  if (offset < untouched_from_) {
    file_->write_zeros(offset, cluster_size_);
  }
  refcounts_.add_block(refcounts_.region_of(cluster), offset);
  metadata_.add(offset, cluster_size_);
  note_use(cluster, 1);
}

// Half as much again, so that growing is rare.  The new table counts itself: the room for at least
// 64 regions more than are asked for is enough for it and for the blocks that this takes.
void HostSpace::grow_table(std::uint64_t regions) {
  const std::uint64_t old_regions = refcounts_.region_count();
  const HostRun old_place{refcounts_.table_offset(), refcounts_.table_clusters(), false};
  const std::uint64_t wanted = regions + old_regions / 2 + 64;
  const std::uint64_t clusters = divide_up(wanted * sizeof(be64), cluster_size_);
  if (clusters * cluster_size_ > max_refcount_bytes) {
    throw_error(
        ENOSPC, layer,
        fmt::format("the refcount table cannot grow beyond {:#x} bytes", max_refcount_bytes));
  }
  refcounts_.resize_table(clusters * cluster_size_ / sizeof(be64));
  ShrinkUnless shrink{refcounts_, old_regions};
  std::uint64_t count = 0;
  const std::uint64_t cluster = find_free(clusters, clusters, count);
  refcounts_.move_table(take(cluster, count).offset);
  metadata_.add(refcounts_.table_offset(), clusters * cluster_size_);
  shrink.moved = true;
  retired_.push_back(old_place);
}

void HostSpace::check_near_end(std::uint64_t end) const {
  const std::uint64_t size = file_->size();
  if (end > size && end - size > max_beyond_end) {
    throw_corrupt(layer, fmt::format("clusters up to {:#x} are in use, far beyond the file end "
                                     "{:#x}",
                                     end, size));
  }
}

void HostSpace::grow_to(std::uint64_t end) {
  const std::uint64_t size = file_->size();
  if (end > size) {
    const std::uint64_t growth = std::clamp(size / 8, min_growth, max_growth);
    file_->resize(round_up(std::max(end, size + growth), cluster_size_));
  }
}

void HostSpace::trim() {
  if (file_->size() > used_end_) {
    file_->resize(used_end_);
  }
}

}  // namespace vimg::qcow2
