// A physical volume's metadata area: a circular buffer with the volume group's text.
#pragma once

#include <optional>
#include <string>

#include "disk/disk.h"
#include "lvm/label.h"

namespace vimg {

// The committed text of `area`; nothing when it holds none or is marked to be ignored.
// Throws Error(EUCLEAN) when the area or the text's checksum is broken, and what Disk::read throws.
std::optional<std::string> read_metadata_text(const Disk& disk, const PvArea& area);

}  // namespace vimg
