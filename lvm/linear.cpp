// linear: extents of one PV in a row.  LVM writes it as "striped" with one stripe.
#include "lvm/segment_type.h"

namespace vimg {
namespace {

bool claims(const Segment& segment) {
  return segment.type == "striped" && segment.settings.find_number("stripe_count") == 1;
}

DiskPtr make(const Segment& segment, PhysicalExtents& extents) {
  const auto stripes = segment.settings.list("stripes");
  const auto* pv = stripes.size() == 2 ? std::get_if<std::string>(&stripes[0]) : nullptr;
  const auto* first = stripes.size() == 2 ? std::get_if<std::uint64_t>(&stripes[1]) : nullptr;
  if (pv == nullptr || first == nullptr) {
    segment.settings.throw_bad("stripes", "one PV and an extent");
  }
  return extents.take(*pv, *first, segment.extent_count);
}

}  // namespace

extern const SegmentType linear_segment;
const SegmentType linear_segment{"linear", claims, make};

}  // namespace vimg
