// PhysicalExtents: the extents of a volume group's PVs, given out to logical volumes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "disk/disk.h"
#include "lvm/metadata.h"

namespace vimg {

// Used by one thread, while a volume group is put together.
class PhysicalExtents {
 public:
  // `disks` are those of metadata.pvs, nullptr where one is missing.
  PhysicalExtents(const VgMetadata& metadata, const std::vector<DiskPtr>& disks);

  std::uint64_t extent_size() const noexcept { return extent_size_; }

  // What take() gives from here on is noted as that of the volume numbered `volume`.
  void begin_volume(std::size_t volume);

  // `count` extents from `first` of the PV that the text calls `pv`.
  // Throws Error(EUCLEAN) when there are no such extents, Error(EIO) when the PV is missing and
  // Error(EOPNOTSUPP) when `pv` is a logical volume.
  DiskPtr take(std::string_view pv, std::uint64_t first, std::uint64_t count);

  // The disks of the PVs that the volume begun last has extents on, each once.
  std::vector<DiskPtr> roots() const;

  // Pairs of volumes that have a physical extent in common; a volume may be paired with itself.
  std::vector<std::pair<std::size_t, std::size_t>> conflicts() const;

 private:
  struct Pv {
    PvRecord record;
    DiskPtr disk;
  };
  struct Use {
    const Pv* pv;
    std::uint64_t first;
    std::uint64_t count;
    std::size_t volume;
  };

  std::uint64_t extent_size_;
  std::map<std::string, Pv, std::less<>> pvs_;
  std::set<std::string, std::less<>> volume_names_;
  std::vector<Use> uses_;
  std::size_t volume_ = 0;
  std::size_t volume_uses_ = 0;  // where those of the volume begun last start
};

}  // namespace vimg
