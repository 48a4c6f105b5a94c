// SegmentType: how one kind of segment becomes a Disk, and the list of kinds.
#pragma once

#include <string>

#include "disk/disk.h"
#include "lvm/metadata.h"
#include "lvm/physical_extents.h"

namespace vimg {

struct SegmentType {
  const char* name;  // as lvs shows it: "linear"
  // True when `segment` is of this type.  Throws Error(EUCLEAN) for settings that are not LVM's.
  bool (*claims)(const Segment& segment);
  // The segment's bytes, segment.extent_count extents of them.  Throws Error.
  DiskPtr (*make)(const Segment& segment, PhysicalExtents& extents);
};

// The type that claims `segment`, or nullptr.
const SegmentType* find_segment_type(const Segment& segment);

// As lvs shows it, known or not.
std::string segment_type_name(const Segment& segment);

}  // namespace vimg
