// VHDX regions: the two region tables.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "disk/error.h"
#include "formats/vhdx_header.h"
#include "formats/vhdx_metadata.h"
#include "formats/vhdx_regions.h"

namespace vimg::vhdx {
namespace {

void validate(const RegionTableEntry& entry, std::uint64_t file_size) {
  const std::uint64_t offset = entry.offset;
  const std::uint64_t length = entry.length;
  if (offset < header_section_size || offset % mib != 0 || length % mib != 0 || length == 0) {
    throw_corrupt(layer, fmt::format("region {} at {:#x} (+{:#x}) is not aligned to 1 MiB behind "
                                     "the headers",
                                     guid_text(entry.guid), offset, length));
  }
  if (!fits(offset, length, file_size)) {
    throw_corrupt(layer, fmt::format("region {} at {:#x} (+{:#x}) lies beyond the file end {:#x}",
                                     guid_text(entry.guid), offset, length, file_size));
  }
  const bool is_known = entry.guid == bat_region || entry.guid == metadata_region;
  if (!is_known && (entry.flags & region_is_required) != 0) {
    throw_unsupported(layer,
                      fmt::format("the required region {} is not known", guid_text(entry.guid)));
  }
}

void refuse_overlaps(const std::vector<Region>& sorted) {
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i].offset < sorted[i - 1].end()) {
      throw_corrupt(layer,
                    fmt::format("regions at {:#x} (+{:#x}) and {:#x} overlap", sorted[i - 1].offset,
                                sorted[i - 1].length, sorted[i].offset));
    }
  }
}

Region the_one(const std::vector<RegionTableEntry>& entries, const Guid& guid, const char* name) {
  const auto is_it = [&](const RegionTableEntry& entry) { return entry.guid == guid; };
  const auto found = std::ranges::find_if(entries, is_it);
  if (found == entries.end()) {
    throw_corrupt(layer, fmt::format("there is no {} region", name));
  }
  if (std::find_if(found + 1, entries.end(), is_it) != entries.end()) {
    throw_corrupt(layer, fmt::format("there are two {} regions", name));
  }
  return {found->offset, found->length};
}

}  // namespace

std::optional<std::vector<RegionTableEntry>> read_region_table(const Disk& file, unsigned copy) {
  const std::uint64_t offset = region_table_offsets[copy];
  if (!fits(offset, region_table_size, file.size())) {
    return std::nullopt;
  }
  std::vector<std::byte> table(region_table_size);
  file.read(offset, table);
  const auto header = load<RegionTableHeader>(table);
  if (header.signature != region_signature || header.entry_count > max_table_entries ||
      header.checksum != checksum_of(table, offsetof(RegionTableHeader, checksum))) {
    return std::nullopt;
  }
  std::vector<RegionTableEntry> entries;
  for (std::size_t i = 0; i < header.entry_count; ++i) {
    entries.push_back(load<RegionTableEntry>(table, sizeof(header) + i * sizeof(RegionTableEntry)));
  }
  return entries;
}

void read_regions(const Disk& file, const Header& header, Layout& layout) {
  std::optional<std::vector<RegionTableEntry>> entries = read_region_table(file, 0);
  if (!entries) {
    entries = read_region_table(file, 1);
  }
  if (!entries) {
    throw_corrupt(layer, "neither region table has a valid signature, checksum and count");
  }
  layout.occupied = {{0, header_section_size}};
  if (header.log_length != 0) {
    layout.occupied.push_back({header.log_offset, header.log_length});
  }
  for (const RegionTableEntry& entry : *entries) {
    validate(entry, file.size());
    layout.occupied.push_back({entry.offset, entry.length});
  }
  std::ranges::sort(layout.occupied, {}, &Region::offset);
  refuse_overlaps(layout.occupied);
  layout.bat = the_one(*entries, bat_region, "BAT");
  layout.metadata = the_one(*entries, metadata_region, "metadata");
}

}  // namespace vimg::vhdx
