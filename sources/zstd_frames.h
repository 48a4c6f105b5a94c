// The frames of a zstd file, found by their headers without being decoded.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "disk/disk.h"

namespace vimg {

struct ZstdFrame {
  std::uint64_t place;                // offset in the file
  std::uint64_t stored;               // bytes
  std::optional<std::uint64_t> size;  // bytes of content, where the frame or a seek table says it
};

bool begins_with_zstd_frame(const Disk& file);

// All frames that hold content, in order.  Zeros may follow the last one.
// Throws Error(EUCLEAN) where the file is no sequence of frames, Error(EOPNOTSUPP) where there are
// more than four million.
std::vector<ZstdFrame> read_zstd_frames(const DiskPtr& file);

}  // namespace vimg
