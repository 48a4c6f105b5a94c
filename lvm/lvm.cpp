// LVM2: assembling volume groups from physical volumes.
#include "lvm/lvm.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "lvm/logical_volume.h"
#include "lvm/metadata.h"
#include "lvm/physical_extents.h"

namespace vimg {
namespace {

using Candidate = const PhysicalVolumeDisk*;

// The candidates by PV UUID, the first of each.
std::map<std::string, Candidate> index_candidates(const std::vector<PhysicalVolumeDisk>& candidates,
                                                  std::vector<std::string>& problems) {
  std::map<std::string, Candidate> index;
  for (const PhysicalVolumeDisk& candidate : candidates) {
    if (!index.emplace(candidate.pv.uuid, &candidate).second) {
      problems.push_back(
          fmt::format("lvm: there are two PVs {}; the first is used", candidate.pv.uuid));
    }
  }
  return index;
}

// For each volume group that some metadata is of, in the order of the candidates, those that hold
// it, the newest first.
std::vector<std::vector<Candidate>> group_by_vg(const std::vector<PhysicalVolumeDisk>& candidates) {
  std::vector<std::vector<Candidate>> groups;
  std::map<std::string, std::size_t> index;
  for (const PhysicalVolumeDisk& candidate : candidates) {
    if (candidate.pv.metadata.empty()) {
      continue;
    }
    const auto [at, added] = index.emplace(candidate.pv.vg_uuid, groups.size());
    if (added) {
      groups.emplace_back();
    }
    groups[at->second].push_back(&candidate);
  }
  for (auto& group : groups) {
    std::ranges::stable_sort(group, std::ranges::greater(),
                             [](Candidate candidate) { return candidate->pv.seqno; });
  }
  return groups;
}

void report_differences(const std::vector<Candidate>& holders, VolumeGroup& group) {
  const PhysicalVolume& newest = holders.front()->pv;
  for (const Candidate holder : holders) {
    if (holder->pv.seqno < newest.seqno) {
      group.problems.push_back(
          fmt::format("{}: the metadata on PV {} is older (seqno {}) than that "
                      "on PV {} (seqno {}), which is used",
                      group.name, holder->pv.uuid, holder->pv.seqno, newest.uuid, newest.seqno));
    } else if (holder->pv.metadata != newest.metadata) {
      group.problems.push_back(
          fmt::format("{}: PVs {} and {} hold different metadata of seqno {}; the first is used",
                      group.name, newest.uuid, holder->pv.uuid, newest.seqno));
    }
  }
}

// The disk of `pv`, unless that PV holds the metadata of another group by now.
DiskPtr find_disk(const std::map<std::string, Candidate>& index, const PvRecord& pv,
                  VolumeGroup& group) {
  const auto found = index.find(pv.uuid);
  if (found == index.end()) {
    group.problems.push_back(fmt::format("{}: PV {} is missing", group.name, pv.uuid));
    return nullptr;
  }
  const PhysicalVolume& candidate = found->second->pv;
  if (!candidate.vg_uuid.empty() && candidate.vg_uuid != group.uuid) {
    group.problems.push_back(fmt::format("{}: PV {} belongs to the volume group {} ({}) by now",
                                         group.name, pv.uuid, candidate.vg_name,
                                         candidate.vg_uuid));
    return nullptr;
  }
  return found->second->disk;
}

VolumeGroup assemble(const std::vector<Candidate>& holders,
                     const std::map<std::string, Candidate>& index) {
  const VgMetadata metadata = parse_metadata(holders.front()->pv.metadata);
  VolumeGroup group{
      metadata.name,    metadata.uuid, metadata.seqno, metadata.extent_size, {}, {}, {},
      metadata.problems};
  report_differences(holders, group);
  std::vector<DiskPtr> disks;
  for (const PvRecord& pv : metadata.pvs) {
    disks.push_back(find_disk(index, pv, group));
    group.pv_uuids.push_back(pv.uuid);
    if (!disks.back()) {
      group.missing_pv_uuids.push_back(pv.uuid);
    }
  }
  PhysicalExtents extents(metadata, disks);
  group.volumes = make_logical_volumes(metadata, extents);
  return group;
}

}  // namespace

std::vector<VolumeGroup> assemble_volume_groups(const std::vector<PhysicalVolumeDisk>& candidates,
                                                std::vector<std::string>& problems) {
  const auto index = index_candidates(candidates, problems);
  std::vector<VolumeGroup> groups;
  for (const auto& holders : group_by_vg(candidates)) {
    try {
      groups.push_back(assemble(holders, index));
    } catch (const Error& error) {
      problems.push_back(fmt::format("{}: {}", holders.front()->pv.vg_name, error.what()));
    }
  }
  return groups;
}

}  // namespace vimg
