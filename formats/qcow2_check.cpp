#include "formats/qcow2_check.h"

#include <algorithm>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/qcow2_check_copied.h"
#include "formats/qcow2_refcounts.h"
#include "formats/qcow2_reference_walk.h"

namespace vimg::qcow2 {
namespace {

constexpr std::uint64_t window_clusters = 1U << 24;
constexpr std::uint64_t max_file_clusters = 1ULL << 31;  // QEMU's limit

// Counts the references to one window of host clusters; reports what is broken in the first.
class WindowCounter final : public ReferenceVisitor {
 public:
  WindowCounter(const Header& header, const Disk& file, std::uint64_t max_count,
                CheckReport& report)
      : cluster_bits_(header.cluster_bits),
        file_size_(file.size()),
        max_count_(std::min<std::uint64_t>(max_count, std::numeric_limits<std::uint32_t>::max())),
        report_(report) {}

  void start(std::uint64_t first, std::uint64_t count) {
    first_ = first;
    counts_.assign(count, 0);
  }
  std::span<const std::uint32_t> counts() const noexcept { return counts_; }

  void refer(std::uint64_t offset, std::uint64_t length, std::uint32_t times) override {
    const std::uint64_t end = offset + length;
    // The file may end within its last cluster.
    if (length > 0 && end > file_size_ && (end - file_size_) >> cluster_bits_ > 0) {
      broken(fmt::format("a reference to {:#x} (+{:#x}) exceeds the file end {:#x} by a cluster or "
                         "more",
                         offset, length, file_size_),
             times);
      return;
    }
    const std::uint64_t last = divide_up(end, 1ULL << cluster_bits_);
    const std::uint64_t stop = std::min(last, first_ + counts_.size());
    for (std::uint64_t at = std::max(offset >> cluster_bits_, first_); at < stop; ++at) {
      add(at, times);
    }
  }

  void broken(const std::string& finding, std::uint32_t times) override {
    for (std::uint32_t i = 0; first_ == 0 && i < times; ++i) {
      report_.add_corruption(finding);
    }
  }

  void allocated(const Entry& entry, std::uint32_t active) override {
    if (first_ == 0) {
      report_.allocated_blocks += active;
      report_.compressed_blocks += entry.compressed() ? active : 0;
    }
  }

 private:
  void add(std::uint64_t cluster, std::uint32_t times) {
    std::uint32_t& count = counts_[cluster - first_];
    const std::uint64_t room = max_count_ - count;
    for (std::uint64_t over = room; over < times; ++over) {
      report_.add_corruption(
          fmt::format("cluster {} is referred to more than {} times", cluster, max_count_));
    }
    count += std::uint32_t(std::min<std::uint64_t>(room, times));
  }

  const std::uint32_t cluster_bits_;
  const std::uint64_t file_size_;
  const std::uint64_t max_count_;
  CheckReport& report_;
  std::uint64_t first_ = 0;
  std::vector<std::uint32_t> counts_;
};

class Check {
 public:
  Check(const Header& header, DiskPtr file, std::uint64_t cache_bytes, CheckReport& report)
      : header_(header),
        file_(std::move(file)),
        refcounts_(header, file_, cache_bytes),
        report_(report),
        counter_(header, *file_, refcounts_.max_count(), report),
        clusters_(divide_up(file_->size(), header.cluster_size())) {
    if (clusters_ > max_file_clusters) {
      throw_unsupported(layer, fmt::format("a file of {} clusters is too large to check; at most "
                                           "{} are",
                                           clusters_, max_file_clusters));
    }
  }

  // Flags come last, as they are held against refcounts that may have been mended.
  void run(Repair repair) {
    report_.total_blocks = divide_up(header_.size, header_.cluster_size());
    each_window(&Check::compare);
    // A mark alone is no corruption, but nothing is mended behind it.
    const bool mend = repair == Repair::leaks && report_.corruptions == 0 && !header_.corrupt();
    if (mend && report_.leaks > 0) {
      each_window(&Check::lower);
      refcounts_.write_blocks();
      file_->flush();
    }
    check_copied_flags(header_, *file_, refcounts_, mend ? Repair::leaks : Repair::nothing,
                       report_);
    if (mend) {
      file_->flush();
    }
  }

 private:
  using Treatment = void (Check::*)(std::uint64_t cluster, std::uint64_t stored,
                                    std::uint64_t counted);

  void each_window(Treatment treat) {
    for (std::uint64_t first = 0; first < clusters_; first += window_clusters) {
      counter_.start(first, std::min(window_clusters, clusters_ - first));
      ReferenceWalk(header_, *file_, counter_).run();
      count_refcounts(first);
      each_cluster(first, treat);
    }
  }

  void count_refcounts(std::uint64_t first) {
    counter_.refer(refcounts_.table_offset(), refcounts_.table_clusters() * header_.cluster_size(),
                   1);
    for (std::uint64_t region = 0; region < refcounts_.region_count(); ++region) {
      if (!refcounts_.block_is_sound(region)) {
        counter_.broken(
            fmt::format("refcount block {} is not at a cluster's start in the file", region), 1);
      } else if (const std::uint64_t block = refcounts_.block(region); block != 0) {
        counter_.refer(block, header_.cluster_size(), 1);
        check_block(region, block >> header_.cluster_bits, first);
      }
    }
  }

  void check_block(std::uint64_t region, std::uint64_t cluster, std::uint64_t first) {
    if (cluster < first || cluster - first >= counter_.counts().size()) {
      return;
    }
    if (const std::uint32_t count = counter_.counts()[cluster - first]; count != 1) {
      report_.add_corruption(fmt::format("refcount block {} reference={}", region, count));
    }
  }

  void each_cluster(std::uint64_t first, Treatment treat) {
    const auto counts = counter_.counts();
    for (std::uint64_t i = 0; i < counts.size(); ++i) {
      if (const auto stored = refcounts_.find(first + i); stored && (*stored | counts[i]) != 0) {
        (this->*treat)(first + i, *stored, counts[i]);
      }
    }
  }

  void compare(std::uint64_t cluster, std::uint64_t stored, std::uint64_t counted) {
    report_.image_end = (cluster + 1) * header_.cluster_size();
    if (stored == counted) {
      return;
    }
    std::string finding =
        fmt::format("cluster {} refcount={} reference={}", cluster, stored, counted);
    if (stored < counted) {
      report_.add_corruption("ERROR " + finding);
    } else {
      report_.add_leak("Leaked " + finding);
    }
  }

  // Changes are written when there are many; each is right by itself.
  void lower(std::uint64_t cluster, std::uint64_t stored, std::uint64_t counted) {
    constexpr std::uint64_t max_changed_bytes = 4U << 20;
    if (stored <= counted) {
      return;
    }
    refcounts_.set(cluster, counted);
    ++report_.leaks_fixed;
    if (refcounts_.changed_bytes() > max_changed_bytes) {
      refcounts_.write_blocks();
    }
  }

  const Header header_;
  const DiskPtr file_;
  Refcounts refcounts_;
  CheckReport& report_;
  WindowCounter counter_;
  const std::uint64_t clusters_;
};

}  // namespace

CheckReport check(DiskPtr file, OpenContext& context, Repair repair) {
  const Header header = read_header(*file);
  refuse_encryption(header);
  CheckReport report;
  Check(header, std::move(file), context.cache_bytes(), report).run(repair);
  return report;
}

}  // namespace vimg::qcow2
