// The flag of qcow2 entries that says that nothing else refers to a cluster.
#pragma once

#include "disk/disk.h"
#include "formats/check.h"
#include "formats/qcow2_header.h"
#include "formats/qcow2_refcounts.h"

namespace vimg::qcow2 {

// Holds the flags of the current state's L1 and L2 entries against the stored refcounts.  What is
// wrong is reported, or set right in place with Repair::leaks.
void check_copied_flags(const Header& header, Disk& file, Refcounts& refcounts, Repair repair,
                        CheckReport& report);

}  // namespace vimg::qcow2
