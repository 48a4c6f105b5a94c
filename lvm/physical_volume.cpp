#include <cerrno>
#include <optional>

#include <fmt/format.h>

#include "disk/error.h"
#include "lvm/label.h"
#include "lvm/lvm.h"
#include "lvm/metadata.h"
#include "lvm/metadata_area.h"

namespace vimg {
namespace {

// Makes `text` that of `pv` when it is newer.
void take_metadata(std::string text, PhysicalVolume& pv) {
  const VgMetadata metadata = parse_metadata(text);
  if (!pv.metadata.empty() && metadata.seqno <= pv.seqno) {
    return;
  }
  pv.vg_name = metadata.name;
  pv.vg_uuid = metadata.uuid;
  pv.seqno = metadata.seqno;
  pv.metadata = std::move(text);
}

// What is broken in one area is a problem of the PV; another area or another PV may be whole.
void read_area(const Disk& disk, const PvArea& area, PhysicalVolume& pv) {
  try {
    if (auto text = read_metadata_text(disk, area)) {
      take_metadata(*std::move(text), pv);
    }
  } catch (const Error& error) {
    if (error.code() != EUCLEAN) {
      throw;
    }
    pv.problems.push_back(fmt::format("PV {}: {}", pv.uuid, error.what()));
  }
}

}  // namespace

std::optional<PhysicalVolume> read_physical_volume(const Disk& disk) {
  const auto label = read_pv_label(disk);
  if (!label) {
    return std::nullopt;
  }
  PhysicalVolume pv;
  pv.uuid = label->uuid;
  pv.size = label->size;
  for (const PvArea& area : label->metadata_areas) {
    read_area(disk, area, pv);
  }
  return pv;
}

}  // namespace vimg
