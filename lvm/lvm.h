// LVM2: physical volumes found on Disks, their text metadata, logical volumes as Disks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "disk/disk.h"

namespace vimg {

// What a PV's label and metadata areas say.
struct PhysicalVolume {
  std::string uuid;     // with dashes, as pvs shows it
  std::uint64_t size;   // bytes, as the label has it
  std::string vg_name;  // empty when it holds no metadata (another PV of the VG may)
  std::string vg_uuid;
  std::uint64_t seqno = 0;
  std::string metadata;  // the newest valid text on this PV; empty when it has none
  std::vector<std::string> problems;
};

// The PV on `disk`, or nothing when none of its first four sectors holds an LVM label.
// Throws Error(EUCLEAN) when the label is there but broken.
std::optional<PhysicalVolume> read_physical_volume(const Disk& disk);

struct LogicalVolume {
  std::string name;
  std::string uuid;
  std::uint64_t size;         // bytes
  std::string segment_types;  // "linear", or several joined by ","
  bool visible = true;        // false: an internal volume of another (pvmove0, _tmeta …)
  DiskPtr disk;               // nullptr when it cannot be read: see problem
  std::string problem;  // "vg0/r5: segment type raid5 is not supported yet", "… PV … is missing"
};

struct VolumeGroup {
  std::string name;
  std::string uuid;
  std::uint64_t seqno;
  std::uint64_t extent_size;                  // bytes
  std::vector<std::string> pv_uuids;          // in the order of the metadata
  std::vector<std::string> missing_pv_uuids;  // those that no candidate is
  std::vector<LogicalVolume> volumes;         // in the order of the metadata
  std::vector<std::string> problems;
};

struct PhysicalVolumeDisk {
  PhysicalVolume pv;
  DiskPtr disk;
};

// Every volume group that `candidates` make up, by VG UUID: the newest metadata of each wins.
// A volume group whose metadata cannot be used is left out and said in `problems`.
std::vector<VolumeGroup> assemble_volume_groups(const std::vector<PhysicalVolumeDisk>& candidates,
                                                std::vector<std::string>& problems);

}  // namespace vimg
