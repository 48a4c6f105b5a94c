// The table that `vimg list` prints: a guest's stack of volumes, as lsblk shows a host's.
#pragma once

#include "cli/table.h"
#include "guest/details.h"
#include "guest/guest.h"

namespace vimg {

enum class SizeUnit { for_people, bytes };

// Partitions stand below their disks, logical volumes below their groups.
Table volume_table(const Guest& guest, const GuestDetails& details, SizeUnit unit);

}  // namespace vimg
