#include "fuse/volume_file.h"

#include <algorithm>
#include <cerrno>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg {
namespace {

constexpr char layer[] = "volume";

void check_inside(const Disk& disk, std::uint64_t offset, std::uint64_t length) {
  if (!fits(offset, length, disk.size())) {
    throw_error(ENOSPC, layer, "a volume cannot grow");
  }
}

}  // namespace

DiskPtr disk_of(const MountState& mount, const VirtualNode& volume) {
  DiskPtr disk = mount.volume_disk(volume.volume);
  if (!disk) {
    throw_error(EIO, volume.name, "this volume cannot be read");
  }
  return disk;
}

std::size_t read_volume(const Disk& disk, std::uint64_t offset, Bytes out) {
  if (offset >= disk.size()) {
    return 0;
  }
  const auto length = std::size_t(std::min<std::uint64_t>(out.size(), disk.size() - offset));
  disk.read(offset, out.first(length));
  return length;
}

std::optional<std::uint64_t> seek_volume(const Disk& disk, std::uint64_t offset,
                                         SeekTarget target) {
  if (offset >= disk.size()) {
    return std::nullopt;
  }
  while (offset < disk.size()) {
    const Extent extent = disk.extent(offset, disk.size() - offset);
    if ((extent.kind == Extent::Kind::data) == (target == SeekTarget::data)) {
      return offset;
    }
    offset += extent.length;  // at least 1, so this ends
  }
  return target == SeekTarget::hole ? std::optional(disk.size()) : std::nullopt;
}

std::size_t write_volume(Disk& disk, std::uint64_t offset, ConstBytes data) {
  if (offset >= disk.size()) {
    throw_error(ENOSPC, layer, "a volume cannot grow");
  }
  const auto length = std::size_t(std::min<std::uint64_t>(data.size(), disk.size() - offset));
  disk.write(offset, data.first(length));
  return length;
}

void fallocate_volume(Disk& disk, FallocateMode mode, std::uint64_t offset, std::uint64_t length) {
  check_inside(disk, offset, length);
  switch (mode) {
    case FallocateMode::punch_hole:
      // Disk::discard may leave the bytes, but a punched hole must read as zeros.
      disk.write_zeros(offset, length);
      disk.discard(offset, length);
      break;
    case FallocateMode::zero_range:
    case FallocateMode::zero_range_keep_size:
      disk.write_zeros(offset, length);
      break;
    default:
      throw_unsupported(layer, "a volume is always allocated and never moved");
  }
}

}  // namespace vimg
