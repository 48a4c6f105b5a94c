#include "lvm/segment_type.h"

#include <algorithm>
#include <array>

namespace vimg {

extern const SegmentType linear_segment;

namespace {

constexpr std::array segment_types{&linear_segment};

}  // namespace

const SegmentType* find_segment_type(const Segment& segment) {
  const auto found = std::ranges::find_if(
      segment_types, [&](const SegmentType* type) { return type->claims(segment); });
  return found == segment_types.end() ? nullptr : *found;
}

std::string segment_type_name(const Segment& segment) {
  const SegmentType* type = find_segment_type(segment);
  // What follows a '+' are flags for LVM's own older versions: "cache-pool+METADATA_FORMAT".
  return type != nullptr ? type->name : segment.type.substr(0, segment.type.find('+'));
}

}  // namespace vimg
