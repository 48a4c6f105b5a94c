// libblkid's word for what no driver of ours knows.
#pragma once

#include <optional>
#include <string>

#include "disk/disk.h"

namespace vimg {

struct ForeignIdentity {
  std::string type;  // as blkid(8) says: "swap", "vfat", "crypto_LUKS"
  std::string label;
  std::string uuid;
  std::string version;  // of the format; often empty
};

// What libblkid finds on `disk`; nothing when it finds nothing, or several things.  Takes some
// milliseconds and up to 3 MiB of memory: for those who ask, never on the way to a mount.
// Throws Error for what cannot be read.
std::optional<ForeignIdentity> identify_foreign(const Disk& disk);

}  // namespace vimg
