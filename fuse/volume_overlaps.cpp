#include <algorithm>
#include <set>
#include <unordered_map>

#include "fuse/tree_builder.h"

namespace vimg {
namespace {

using PhysicalVolumes = std::unordered_map<std::string, std::vector<std::size_t>>;  // by UUID

PhysicalVolumes physical_volumes(const Guest& guest) {
  PhysicalVolumes result;
  for (std::size_t i = 0; i < guest.volumes().size(); ++i) {
    if (const auto& pv = guest.volumes()[i].pv) {
      result[pv->uuid].push_back(i);
    }
  }
  return result;
}

// What `volume` directly lies on.
std::vector<std::size_t> below(const Guest& guest, const PhysicalVolumes& pvs, std::size_t volume) {
  const Volume& upper = guest.volumes()[volume];
  std::vector<std::size_t> result;
  if (upper.parent) {
    result.push_back(*upper.parent);
  }
  if (upper.group) {
    for (const std::string& uuid : guest.groups()[*upper.group].pv_uuids) {
      const auto found = pvs.find(uuid);
      if (found != pvs.end()) {
        result.insert(result.end(), found->second.begin(), found->second.end());
      }
    }
  }
  return result;
}

// What `volume` lies on at any depth, itself included.
std::set<std::size_t> all_below(const Guest& guest, const PhysicalVolumes& pvs,
                                std::size_t volume) {
  std::set<std::size_t> seen;
  std::vector<std::size_t> open{volume};
  // Each volume is expanded once, so this ends.
  while (!open.empty()) {
    const std::size_t next = open.back();
    open.pop_back();
    if (seen.insert(next).second) {
      const auto lower = below(guest, pvs, next);
      open.insert(open.end(), lower.begin(), lower.end());
    }
  }
  return seen;
}

}  // namespace

std::vector<std::vector<std::size_t>> volume_overlaps(const Guest& guest) {
  const PhysicalVolumes pvs = physical_volumes(guest);
  std::vector<std::vector<std::size_t>> overlaps(guest.volumes().size());
  for (std::size_t volume = 0; volume < overlaps.size(); ++volume) {
    for (const std::size_t lower : all_below(guest, pvs, volume)) {
      overlaps[volume].push_back(lower);
      if (lower != volume) {
        overlaps[lower].push_back(volume);
      }
    }
  }
  return overlaps;
}

}  // namespace vimg
