// VolumeFile: a volume seen as a file of the mount.
#pragma once

#include <optional>

#include "fuse/mount_state.h"

namespace vimg {

// Throws Error(EIO) when the volume cannot be read.
DiskPtr disk_of(const MountState& mount, const VirtualNode& volume);

// As FileSystem::read and ::seek.
std::size_t read_volume(const Disk& disk, std::uint64_t offset, Bytes out);
std::optional<std::uint64_t> seek_volume(const Disk& disk, std::uint64_t offset, SeekTarget target);

// Writes what fits before the end and returns how much that is, as a block device does; throws
// Error(ENOSPC) when that is nothing.
std::size_t write_volume(Disk& disk, std::uint64_t offset, ConstBytes data);

// Throws Error(EOPNOTSUPP) for what a block device cannot: growing, moving bytes.
void fallocate_volume(Disk& disk, FallocateMode mode, std::uint64_t offset, std::uint64_t length);

}  // namespace vimg
