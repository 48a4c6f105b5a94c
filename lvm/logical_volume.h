// The logical volumes of one volume group as Disks.
#pragma once

#include <vector>

#include "lvm/lvm.h"
#include "lvm/metadata.h"
#include "lvm/physical_extents.h"

namespace vimg {

// One for each of metadata.volumes, in that order.  What stops one of them is its `problem`.
std::vector<LogicalVolume> make_logical_volumes(const VgMetadata& metadata,
                                                PhysicalExtents& extents);

}  // namespace vimg
