// qcow2 internal snapshots: the table of them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "disk/disk.h"
#include "formats/driver.h"
#include "formats/qcow2_header.h"

namespace vimg::qcow2 {

struct Snapshot {
  SnapshotInfo info;
  std::uint64_t l1_offset;     // at a cluster's start
  std::uint32_t l1_count;      // within QEMU's limit
  std::uint64_t table_length;  // bytes of the snapshot table up to this entry's end
};

// All entries in the table's order.  Throws Error(EUCLEAN) when the table breaks a limit.
std::vector<Snapshot> read_snapshots(const Disk& file, const Header& header);

// The one whose ID is `id_or_name`, else the first whose name it is, as QEMU chooses.
// Throws Error(ENOENT) naming those that there are.
const Snapshot& find_snapshot(const std::vector<Snapshot>& snapshots, std::string_view id_or_name);

}  // namespace vimg::qcow2
