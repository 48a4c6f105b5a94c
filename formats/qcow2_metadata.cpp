#include "formats/qcow2_metadata.h"

#include <mutex>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg::qcow2 {
namespace {

// More tables than 128 TiB of disk have with clusters of 64 KiB; those beyond are not looked after.
constexpr std::size_t max_clusters = 1U << 18;

}  // namespace

void Metadata::add(std::uint64_t offset, std::uint64_t length) {
  const std::unique_lock lock(mutex_);
  for (std::uint64_t cluster = offset >> cluster_bits_;
       cluster << cluster_bits_ < offset + length && clusters_.size() < max_clusters; ++cluster) {
    clusters_.insert(cluster);
  }
}

void Metadata::remove(std::uint64_t offset, std::uint64_t length) {
  const std::unique_lock lock(mutex_);
  for (std::uint64_t cluster = offset >> cluster_bits_; cluster << cluster_bits_ < offset + length;
       ++cluster) {
    clusters_.erase(cluster);
  }
}

void Metadata::check_no_table(std::uint64_t offset, std::uint64_t length) const {
  const std::shared_lock lock(mutex_);
  for (std::uint64_t cluster = offset >> cluster_bits_; cluster << cluster_bits_ < offset + length;
       ++cluster) {
    if (clusters_.contains(cluster)) {
      throw_corrupt(layer, fmt::format("data would be written at {:#x}, where a table lies",
                                       cluster << cluster_bits_));
    }
  }
}

}  // namespace vimg::qcow2
