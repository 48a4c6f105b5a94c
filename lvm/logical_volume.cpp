#include "lvm/logical_volume.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/slice.h"
#include "lvm/concatenation.h"
#include "lvm/segment_type.h"

namespace vimg {
namespace {

std::string joined_type_names(const LvRecord& record) {
  std::vector<std::string> names;
  for (const Segment& segment : record.segments) {
    const std::string name = segment_type_name(segment);
    if (std::ranges::find(names, name) == names.end()) {
      names.push_back(name);
    }
  }
  return fmt::format("{}", fmt::join(names, ","));
}

DiskPtr make_segment(const Segment& segment, PhysicalExtents& extents) {
  const SegmentType* type = find_segment_type(segment);
  if (type == nullptr) {
    throw_unsupported(
        "lvm", fmt::format("segment type {} is not supported yet", segment_type_name(segment)));
  }
  return type->make(segment, extents);
}

DiskPtr make_disk(const LvRecord& record, PhysicalExtents& extents) {
  std::vector<DiskPtr> parts;
  parts.reserve(record.segments.size());
  for (const Segment& segment : record.segments) {
    parts.push_back(make_segment(segment, extents));
  }
  DiskPtr disk = parts.size() == 1 ? parts.front() : make_concatenation(parts, extents.roots());
  return record.writable ? disk : make_read_only(disk);
}

void fill(const LvRecord& record, PhysicalExtents& extents, LogicalVolume& volume) {
  volume.uuid = record.uuid;
  volume.visible = record.visible;
  volume.size = record.extent_count * extents.extent_size();  // parse_volume has checked it
  volume.segment_types = joined_type_names(record);
  volume.disk = make_disk(record, extents);
}

// A volume that shares an extent with another, or with itself, would be written through the other.
void refuse_conflicts(const std::string& group, const PhysicalExtents& extents,
                      std::vector<LogicalVolume>& volumes) {
  for (const auto& [a, b] : extents.conflicts()) {
    for (const auto& [volume, other] : {std::pair(a, b), std::pair(b, a)}) {
      volumes[volume].disk = nullptr;
      volumes[volume].problem =
          fmt::format("{}/{}: lvm: shares physical extents with {}", group, volumes[volume].name,
                      volume == other ? "itself" : volumes[other].name);
    }
  }
}

}  // namespace

std::vector<LogicalVolume> make_logical_volumes(const VgMetadata& metadata,
                                                PhysicalExtents& extents) {
  std::vector<LogicalVolume> volumes;
  volumes.reserve(metadata.volumes.size());
  for (const Section& section : metadata.volumes) {
    LogicalVolume& volume = volumes.emplace_back();
    volume.name = section.name();
    extents.begin_volume(volumes.size() - 1);
    try {
      fill(parse_volume(metadata, section), extents, volume);
    } catch (const Error& error) {
      volume.problem = fmt::format("{}/{}: {}", metadata.name, volume.name, error.what());
    }
  }
  refuse_conflicts(metadata.name, extents, volumes);
  return volumes;
}

}  // namespace vimg
