#include "guest/group_finder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {
namespace {

bool is_complete(const FoundGroup& found) { return found.group.missing_pv_uuids.empty(); }

bool has_pv(const VolumeGroup& group, const std::string& uuid) {
  return std::ranges::find(group.pv_uuids, uuid) != group.pv_uuids.end();
}

}  // namespace

void GroupFinder::add(PhysicalVolumeDisk pv, std::size_t image, unsigned depth) {
  std::size_t copy = 0;
  for (const Candidate& other : candidates_) {
    if (other.pv.pv.uuid != pv.pv.uuid) {
      continue;
    }
    // Found in a volume of itself, or by partitions that overlap: it would be found for ever.
    if (other.image == image) {
      throw_corrupt("lvm", fmt::format("PV {} is in this image already", pv.pv.uuid));
    }
    ++copy;
  }
  if (pv.pv.metadata.size() > max_metadata_bytes - metadata_bytes_) {
    throw_corrupt("lvm", fmt::format("more than {} bytes of metadata", max_metadata_bytes));
  }
  metadata_bytes_ += pv.pv.metadata.size();
  candidates_.push_back({std::move(pv), image, depth, copy});
  copies_ = std::max(copies_, copy + 1);
}

std::vector<FoundGroup> GroupFinder::next() {
  std::vector<FoundGroup> groups = assemble();
  std::erase_if(groups, [&](const FoundGroup& found) {
    return handed_out_.contains({found.copy, found.group.uuid});
  });
  if (std::ranges::any_of(groups, is_complete)) {
    std::erase_if(groups, [](const FoundGroup& found) { return !is_complete(found); });
  }
  for (const FoundGroup& found : groups) {
    handed_out_.insert({found.copy, found.group.uuid});
  }
  return groups;
}

std::vector<FoundGroup> GroupFinder::assemble() {
  problems_.clear();
  std::vector<FoundGroup> all;
  for (std::size_t copy = 0; copy < copies_; ++copy) {
    std::vector<PhysicalVolumeDisk> disks;
    for (const Candidate& candidate : candidates_) {
      if (candidate.copy == copy) {
        disks.push_back(candidate.pv);
      }
    }
    for (VolumeGroup& group : assemble_volume_groups(disks, problems_)) {
      all.push_back(place(std::move(group), copy));
    }
  }
  return all;
}

FoundGroup GroupFinder::place(VolumeGroup group, std::size_t copy) const {
  std::optional<std::size_t> image;
  unsigned depth = 0;
  for (const Candidate& candidate : candidates_) {
    if (candidate.copy == copy && has_pv(group, candidate.pv.pv.uuid)) {
      image = std::min(image.value_or(candidate.image), candidate.image);
      depth = std::max(depth, candidate.depth);
    }
  }
  return {std::move(group), image.value_or(0), depth, copy};
}

}  // namespace vimg
