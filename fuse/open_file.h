// Open files: what open() decides for each kind of file, and what is kept until it is closed.
#pragma once

#include "fuse/fuse_api.h"
#include "fuse/mount_state.h"

namespace vimg {

// Sets in `file` how the kernel may cache, and what later calls need.  Throws Error(EBUSY) as
// VolumeClaims does, Error(EROFS) for writing what is read-only.
void open_file(MountState& mount, const Tree::Place& place, fuse_file_info& file);

// Ends what open_file() began.
void close_file(MountState& mount, const Tree::Place& place, const fuse_file_info& file) noexcept;

// Of an open report, which stays as it was at open(): as FileSystem::read.
std::size_t read_report(const fuse_file_info& file, std::uint64_t offset, Bytes out);

}  // namespace vimg
