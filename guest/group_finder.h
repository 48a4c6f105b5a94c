// GroupFinder: which volume groups the physical volumes found so far make up.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lvm/lvm.h"

namespace vimg {

// A volume group and where it lies.
struct FoundGroup {
  VolumeGroup group;
  std::size_t image;  // of its first PV that is there
  unsigned depth;     // how many volume groups it lies in; 0 for PVs on disks and partitions
  std::size_t copy;   // 0, or counts the clones of the same group
};

// Collects physical volumes as probing meets them, and hands out each volume group once.  Clones of
// one disk hold the same UUIDs; their copies are put together apart, as each is of a guest of its
// own.
class GroupFinder {
 public:
  // Of all PVs together: a hundred times what large hosts have, and parsed in seconds.
  static constexpr std::size_t max_metadata_bytes = 64U << 20;

  // A PV found in image number `image`, below `depth` volume groups.  Throws Error(EUCLEAN) when it
  // is not taken: the same image has the same PV already, or there is more metadata than
  // max_metadata_bytes.
  void add(PhysicalVolumeDisk pv, std::size_t image, unsigned depth);

  // The complete groups that were not handed out before; when there are none, the others.
  std::vector<FoundGroup> next();

  // What is wrong with the metadata of all that was added, as the last next() saw it.
  const std::vector<std::string>& problems() const noexcept { return problems_; }

 private:
  struct Candidate {
    PhysicalVolumeDisk pv;
    std::size_t image;
    unsigned depth;
    std::size_t copy;  // how many PVs of the same UUID came before
  };

  std::vector<FoundGroup> assemble();
  FoundGroup place(VolumeGroup group, std::size_t copy) const;

  std::vector<Candidate> candidates_;
  std::size_t copies_ = 0;                                    // the highest Candidate::copy, plus 1
  std::set<std::pair<std::size_t, std::string>> handed_out_;  // copy and VG UUID
  std::size_t metadata_bytes_ = 0;                            // of all candidates
  std::vector<std::string> problems_;
};

}  // namespace vimg
