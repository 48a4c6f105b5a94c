// Contents: what one Disk holds: a partition table, a physical volume or a file system.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fsdrivers/driver.h"
#include "lvm/lvm.h"
#include "partitions/scheme.h"

namespace vimg {

// At most one, but that a hybrid disk (iso9660 with an MBR) is both a table and a file system.
struct Contents {
  std::optional<PartitionTable> table;
  std::optional<PhysicalVolume> pv;
  std::optional<ProbedFileSystem> filesystem;
  std::vector<std::string> problems;
};

// Leaves in `contents` what libblkid and the kernel would use of all that was found: a table with
// partitions before a file system that was there earlier, but a boot sector of FAT or NTFS before
// what looks like an MBR in it; a physical volume before a file system; either before a table
// without partitions.
void keep_what_rules(Contents& contents);

// Whether a partition table may be there.
enum class Tables { read, ignore };

// What `disk` holds.  Never throws Error: what fails is a problem.
Contents look_into(const Disk& disk, Tables tables);

}  // namespace vimg
