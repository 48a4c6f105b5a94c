#include "formats/qcow2_references.h"

#include <algorithm>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg::qcow2 {
namespace {

constexpr std::uint64_t max_counted_clusters = 1U << 27;  // 512 MiB of counts
// What may be allocated at the file's end without being written.
constexpr std::uint64_t clusters_beyond_end = 1U << 20;
constexpr std::uint32_t max_references = ~std::uint32_t{0};

std::uint64_t clusters_to_count(const Header& header, const Disk& file) {
  const std::uint64_t clusters = divide_up(file.size(), header.cluster_size());
  if (clusters > max_counted_clusters) {
    throw_unsupported(layer, fmt::format("refcounts of {} clusters are too many to rebuild; run "
                                         "qemu-img check -r all",
                                         clusters));
  }
  return clusters;
}

}  // namespace

References::References(const Header& header, const Disk& file)
    : header_(header),
      file_(file),
      max_clusters_(clusters_to_count(header, file) + clusters_beyond_end),
      counts_(max_clusters_ - clusters_beyond_end) {
  ReferenceWalk(header, file, *this).run();
}

void References::add(std::uint64_t offset, std::uint64_t length, std::uint32_t times) {
  const std::uint64_t first = offset >> header_.cluster_bits;
  const std::uint64_t end = divide_up(offset + length, header_.cluster_size());
  if (end > max_clusters_) {
    throw_corrupt(layer, fmt::format("a table refers to {:#x} (+{:#x}), far beyond the file end "
                                     "{:#x}",
                                     offset, length, file_.size()));
  }
  counts_.resize(std::max<std::size_t>(counts_.size(), end));
  for (std::uint64_t cluster = first; cluster < end; ++cluster) {
    if (counts_[cluster] > max_references - times) {
      throw_corrupt(layer, fmt::format("the cluster at {:#x} is referred to too often", offset));
    }
    counts_[cluster] += times;
  }
}

void References::broken(const std::string& finding, std::uint32_t /*times*/) {
  throw_corrupt(layer, finding);
}

}  // namespace vimg::qcow2
