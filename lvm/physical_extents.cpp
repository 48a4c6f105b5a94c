#include "lvm/physical_extents.h"

#include <algorithm>
#include <cerrno>
#include <tuple>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/slice.h"

namespace vimg {
namespace {

constexpr char layer[] = "lvm";

}  // namespace

PhysicalExtents::PhysicalExtents(const VgMetadata& metadata, const std::vector<DiskPtr>& disks)
    : extent_size_(metadata.extent_size) {
  for (std::size_t i = 0; i < metadata.pvs.size(); ++i) {
    pvs_.emplace(metadata.pvs[i].name, Pv{metadata.pvs[i], disks[i]});
  }
  for (const Section& volume : metadata.volumes) {
    volume_names_.emplace(volume.name());
  }
}

void PhysicalExtents::begin_volume(std::size_t volume) {
  volume_ = volume;
  volume_uses_ = uses_.size();
}

DiskPtr PhysicalExtents::take(std::string_view name, std::uint64_t first, std::uint64_t count) {
  const auto found = pvs_.find(name);
  if (found == pvs_.end() && volume_names_.contains(name)) {
    throw_unsupported(layer, fmt::format("a segment that lies on the logical volume {} is not "
                                         "supported yet",
                                         name));
  }
  if (found == pvs_.end()) {
    throw_corrupt(layer, fmt::format("there is no PV called '{}'", name));
  }
  const auto& [record, disk] = found->second;
  if (count == 0 || !fits(first, count, record.extent_count)) {
    throw_corrupt(layer, fmt::format("extents {} (+{}) are not on PV {} of {} extents", first,
                                     count, record.uuid, record.extent_count));
  }
  if (!disk) {
    throw_error(EIO, layer, fmt::format("PV {} is missing", record.uuid));
  }
  const auto start = checked_mul(first, extent_size_);
  const auto length = checked_mul(count, extent_size_);
  const auto offset = start ? checked_add(record.first_extent_offset, *start) : std::nullopt;
  if (!offset || !length || !fits(*offset, *length, disk->size())) {
    throw_corrupt(layer, fmt::format("extents {} (+{}) lie beyond the end {:#x} of PV {}", first,
                                     count, disk->size(), record.uuid));
  }
  uses_.push_back({&found->second, first, count, volume_});
  return make_slice(disk, *offset, *length);
}

std::vector<DiskPtr> PhysicalExtents::roots() const {
  std::vector<DiskPtr> roots;
  for (std::size_t i = volume_uses_; i < uses_.size(); ++i) {
    const DiskPtr& disk = uses_[i].pv->disk;
    if (std::ranges::find(roots, disk) == roots.end()) {
      roots.push_back(disk);
    }
  }
  return roots;
}

std::vector<std::pair<std::size_t, std::size_t>> PhysicalExtents::conflicts() const {
  std::vector<Use> uses = uses_;
  std::ranges::sort(uses, {}, [](const Use& use) { return std::tuple(use.pv, use.first); });
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  // The one that reaches farthest so far is what the next can overlap.
  const Use* farthest = nullptr;
  for (const Use& use : uses) {
    const bool same_pv = farthest != nullptr && farthest->pv == use.pv;
    if (same_pv && use.first < farthest->first + farthest->count) {
      pairs.emplace_back(farthest->volume, use.volume);
    }
    if (!same_pv || use.first + use.count > farthest->first + farthest->count) {
      farthest = &use;
    }
  }
  return pairs;
}

}  // namespace vimg
