// Rebuilding a qcow2 image's refcounts from what its tables refer to.
#pragma once

#include "disk/disk.h"
#include "formats/qcow2_header.h"
#include "formats/qcow2_host_space.h"
#include "formats/qcow2_refcounts.h"

namespace vimg::qcow2 {

// Counts every reference to a host cluster and sets the refcounts to that; blocks and a table that
// are missing are added at the file's end.  Nothing is written but new, unreferenced clusters.
// Throws Error(EUCLEAN) when tables are broken or a count does not fit its width.
void rebuild_refcounts(const Header& header, const Disk& file, Refcounts& refcounts,
                       HostSpace& space);

}  // namespace vimg::qcow2
