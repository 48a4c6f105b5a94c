// Opening ext2, ext3 and ext4 for writing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fsdrivers/ext4_filesystem.h"
#include "fsdrivers/ext4_options.h"

namespace vimg::ext4 {

// `disk` is writable and needs no recovery any more.  Throws Error(EROFS) for a file system whose
// features only allow reading, Error(EBUSY) when multi-mount protection says that it is in use,
// before anything is written.
std::unique_ptr<Ext4FileSystem> open_writable(const DiskPtr& disk, const Options& options,
                                              std::vector<std::string> warnings);

}  // namespace vimg::ext4
