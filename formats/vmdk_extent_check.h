// Checking the tables of one VMDK sparse extent.
#pragma once

#include <string>

#include "disk/disk.h"
#include "formats/check.h"
#include "formats/vmdk_header.h"

namespace vimg::vmdk {

// Adds what is found to `report`, each finding with `prefix` before it.  With Repair::leaks, and
// where nothing is corrupt, space that nothing refers to is given back to the host, and an extent
// that was not closed properly is closed.
void check_extent(const SparseLayout& layout, const DiskPtr& file, const std::string& prefix,
                  Repair repair, CheckReport& report);

}  // namespace vimg::vmdk
