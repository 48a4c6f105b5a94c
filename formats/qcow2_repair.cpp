#include "formats/qcow2_repair.h"

#include <algorithm>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/qcow2_references.h"

namespace vimg::qcow2 {
namespace {

class Rebuild {
 public:
  Rebuild(const Header& header, const Disk& file, Refcounts& refcounts, HostSpace& space)
      : references_(header, file),
        counts_(references_.counts()),
        refcounts_(refcounts),
        space_(space) {}

  void run() {
    count_structures();
    check_widths();
    add_missing_blocks();
    for (std::uint64_t region = 0; region < refcounts_.region_count(); ++region) {
      if (refcounts_.block(region) != 0) {
        set_region(region);
      }
    }
  }

 private:
  std::uint64_t cluster_size() const noexcept { return refcounts_.cluster_size(); }

  void count_structures() {
    references_.add(refcounts_.table_offset(), refcounts_.table_clusters() * cluster_size(), 1);
    for (std::uint64_t region = 0; region < refcounts_.region_count(); ++region) {
      const std::uint64_t block = refcounts_.block(region);
      if (block == 0) {
        continue;
      }
      references_.add(block, cluster_size(), 1);
      // Also what keeps this from going through one block again and again.
      if (counts_[block / cluster_size()] > 1) {
        throw_corrupt(layer,
                      fmt::format("the refcount block at {:#x} is something else, too", block));
      }
    }
  }

  void check_widths() const {
    const auto most = std::ranges::max_element(counts_);
    if (most != counts_.end() && *most > refcounts_.max_count()) {
      throw_corrupt(layer, fmt::format("a cluster is referred to {} times; refcounts go to {}",
                                       *most, refcounts_.max_count()));
    }
  }

  // A new block makes the file longer by one cluster, and counts 64 at least, so this ends.
  void add_missing_blocks() {
    for (std::uint64_t region = 0;
         !counts_.empty() && region <= refcounts_.region_of(counts_.size() - 1); ++region) {
      if (region >= refcounts_.region_count()) {
        grow_table(region + 1);
      }
      if (refcounts_.block(region) == 0 && region_in_use(region)) {
        refcounts_.add_block(region, append(1));
      }
    }
  }

  void grow_table(std::uint64_t regions) {
    const std::uint64_t old_first = refcounts_.table_offset() / cluster_size();
    const std::uint64_t old_clusters = refcounts_.table_clusters();
    const std::uint64_t wanted = regions + refcounts_.region_count() / 2 + 64;
    const std::uint64_t clusters = divide_up(wanted * sizeof(be64), cluster_size());
    if (clusters * cluster_size() > max_refcount_bytes) {
      throw_corrupt(layer, "the image has more clusters than a refcount table can count");
    }
    refcounts_.resize_table(clusters * cluster_size() / sizeof(be64));
    refcounts_.move_table(append(clusters));
    for (std::uint64_t i = 0; i < old_clusters; ++i) {
      counts_[old_first + i] = 0;
    }
  }

  std::uint64_t append(std::uint64_t clusters) {
    const std::uint64_t offset = counts_.size() * cluster_size();
    space_.extend(offset, clusters);
    counts_.resize(counts_.size() + clusters, 1);
    return offset;
  }

  bool region_in_use(std::uint64_t region) const {
    std::uint64_t cluster = refcounts_.first_of(region);
    const std::uint64_t end =
        std::min<std::uint64_t>(refcounts_.first_of(region + 1), counts_.size());
    while (cluster < end && counts_[cluster] == 0) {
      ++cluster;
    }
    return cluster < end;
  }

  void set_region(std::uint64_t region) {
    const std::uint64_t end = refcounts_.first_of(region + 1);
    for (std::uint64_t cluster = refcounts_.first_of(region); cluster < end;) {
      const bool counted = cluster < counts_.size();
      const Refcounts::Run run = refcounts_.run(cluster);
      if (!counted && run.free) {
        cluster += run.count;
        continue;
      }
      const std::uint64_t count = counted ? counts_[cluster] : 0;
      if (refcounts_.get(cluster) != count) {
        refcounts_.set(cluster, count);
      }
      ++cluster;
    }
  }

  References references_;
  std::vector<std::uint32_t>& counts_;
  Refcounts& refcounts_;
  HostSpace& space_;
};

}  // namespace

void rebuild_refcounts(const Header& header, const Disk& file, Refcounts& refcounts,
                       HostSpace& space) {
  Rebuild(header, file, refcounts, space).run();
}

}  // namespace vimg::qcow2
