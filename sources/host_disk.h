// HostDisk: an opened regular file or block device as a Disk.
#pragma once

#include <string>

#include "disk/disk.h"
#include "disk/file_descriptor.h"
#include "sources/host_file.h"

namespace vimg {

// A Disk over `fd`, which was opened for `access`.  `path` begins every message.
// Throws Error(EINVAL) unless it is a regular file or a block device.
DiskPtr make_host_disk(FileDescriptor fd, std::string path, Access access);

// The same under the locks and with the warning of open_host_file.
DiskPtr adopt_file(FileDescriptor fd, const std::string& path, Access access, Locking locking,
                   std::string* warning);

}  // namespace vimg
