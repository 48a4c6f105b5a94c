// PvLabel: what marks a disk as a physical volume.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "disk/disk.h"

namespace vimg {

// Bytes.
struct PvArea {
  std::uint64_t offset;
  std::uint64_t size;
};

struct PvLabel {
  std::string uuid;    // with dashes
  std::uint64_t size;  // bytes
  std::vector<PvArea> metadata_areas;
};

// The first good label in the first four sectors of 512 bytes, or nothing when there is none.
// Throws Error(EUCLEAN) when all that there are are broken.
std::optional<PvLabel> read_pv_label(const Disk& disk);

}  // namespace vimg
