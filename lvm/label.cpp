#include "lvm/label.h"

#include <array>
#include <string_view>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "lvm/checksum.h"
#include "lvm/names.h"

namespace vimg {
namespace {

constexpr char layer[] = "lvm";
constexpr std::size_t sector_size = 512;  // LVM's unit on every disk
constexpr std::uint64_t scanned_sectors = 4;

// Spec: lvm2 lib/label/label.h, "struct label_header".
struct LabelHeader {
  std::array<char, 8> id;  // "LABELONE"
  le64 sector;             // where it lies, in sectors
  le32 crc;                // of the sector from `offset` on
  le32 offset;             // of the contents, from the start of the sector
  std::array<char, 8> type;
};
static_assert(sizeof(LabelHeader) == 32 && OnDisk<LabelHeader>);

// Spec: lvm2 lib/format_text/layout.h, "struct pv_header".  Two lists of areas follow, data and
// metadata, each closed by an area at 0.
struct PvHeader {
  std::array<char, 32> uuid;
  le64 size;  // bytes
};
static_assert(sizeof(PvHeader) == 40 && OnDisk<PvHeader>);

struct AreaEntry {
  le64 offset;  // bytes
  le64 size;    // bytes; 0 for a data area: up to the end
};
static_assert(sizeof(AreaEntry) == 16 && OnDisk<AreaEntry>);

bool has_label_id(ConstBytes sector) { return text_of(sector.first(8)) == "LABELONE"; }

// Why the label in `sector` cannot be used, or nothing.
std::string label_fault(ConstBytes sector, std::uint64_t number) {
  const auto header = load<LabelHeader>(sector);
  const auto crc = lvm_checksum(sector.subspan(offsetof(LabelHeader, offset)));
  if (crc != header.crc) {
    return fmt::format("its checksum is {:#x}, not {:#x}", crc, header.crc.value());
  }
  if (header.sector != number) {
    return fmt::format("it says that it lies in sector {}", header.sector.value());
  }
  if (const std::string_view type(header.type.data(), header.type.size()); type != "LVM2 001") {
    return "its type is not 'LVM2 001'";
  }
  if (header.offset < sizeof(LabelHeader) ||
      !fits(header.offset, sizeof(PvHeader), sector.size())) {
    return fmt::format("its contents at {:#x} leave the sector", header.offset.value());
  }
  return {};
}

// The areas from `offset` to the closing one; `offset` goes behind that.  Ends at the latest with
// the sector.
std::vector<PvArea> read_area_list(ConstBytes sector, std::size_t& offset) {
  std::vector<PvArea> areas;
  while (fits(offset, sizeof(AreaEntry), sector.size())) {
    const auto entry = load<AreaEntry>(sector, offset);
    offset += sizeof(AreaEntry);
    if (entry.offset == 0) {
      break;
    }
    areas.push_back({entry.offset, entry.size});
  }
  return areas;
}

PvLabel parse_label(ConstBytes sector) {
  const auto header = load<LabelHeader>(sector);
  const auto pv = load<PvHeader>(sector, header.offset);
  PvLabel label;
  label.uuid = with_dashes({pv.uuid.data(), pv.uuid.size()});
  label.size = pv.size;
  std::size_t offset = header.offset + sizeof(PvHeader);
  read_area_list(sector, offset);  // where the extents lie is in the text, too
  label.metadata_areas = read_area_list(sector, offset);
  if (!is_lvm_uuid(label.uuid)) {
    throw_corrupt(layer, "the UUID in the label holds other characters than letters and digits");
  }
  return label;
}

}  // namespace

std::optional<PvLabel> read_pv_label(const Disk& disk) {
  std::string fault;
  std::array<std::byte, sector_size> sector;
  for (std::uint64_t number = 0; number < scanned_sectors; ++number) {
    const std::uint64_t offset = number * sector_size;
    if (!fits(offset, sector_size, disk.size())) {
      break;
    }
    disk.read(offset, sector);
    if (!has_label_id(sector)) {
      continue;
    }
    const std::string found = label_fault(sector, number);
    if (found.empty()) {
      return parse_label(sector);
    }
    fault = fmt::format("the label at {:#x} cannot be used: {}", offset, found);
  }
  if (!fault.empty()) {
    throw_corrupt(layer, fault);
  }
  return std::nullopt;
}

}  // namespace vimg
