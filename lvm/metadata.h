// VgMetadata: what the text metadata says of a volume group.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lvm/config.h"

namespace vimg {

struct PvRecord {
  std::string name;  // inside this text: "pv0"
  std::string uuid;
  std::uint64_t first_extent_offset;  // bytes
  std::uint64_t extent_count;
};

// A piece of a logical volume.
struct Segment {
  std::uint64_t first_extent;  // of the logical volume
  std::uint64_t extent_count;
  std::string type;  // as the text has it, flags included: "striped", "cache+METADATA_FORMAT"
  Section settings;  // the type's own
};

struct LvRecord {
  std::string name;
  std::string uuid;
  bool visible;
  bool writable;
  std::vector<Segment> segments;  // cover extents 0 to extent_count without gap or overlap
  std::uint64_t extent_count;
};

struct VgMetadata {
  Config config;  // keeps the sections alive
  std::string name;
  std::string uuid;
  std::uint64_t seqno;
  std::uint64_t extent_size;  // bytes
  bool writable;
  std::vector<PvRecord> pvs;
  std::vector<Section> volumes;  // of names that LVM accepts; see parse_volume
  std::vector<std::string> problems;
};

// Throws Error(EUCLEAN) when the text is not LVM's or the group as a whole cannot be used.
VgMetadata parse_metadata(const std::string& text);

// One of metadata.volumes.  Throws Error(EUCLEAN) when it cannot be used.
LvRecord parse_volume(const VgMetadata& metadata, const Section& volume);

}  // namespace vimg
