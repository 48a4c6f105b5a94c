#include "formats/vhdx_metadata.h"

#include <algorithm>
#include <bit>
#include <iterator>

#include <fmt/format.h>

#include "disk/error.h"
#include "formats/vhdx_regions.h"

namespace vimg::vhdx {
namespace {

struct KnownItem {
  Guid guid;
  const char* name;
  std::uint32_t length;  // bytes; 0 when it varies
};

constexpr std::array known_items{
    KnownItem{file_parameters_item, "file parameters", sizeof(FileParameters)},
    KnownItem{disk_size_item, "virtual disk size", sizeof(le64)},
    KnownItem{disk_id_item, "virtual disk identifier", sizeof(Guid)},
    KnownItem{logical_sector_item, "logical sector size", sizeof(le32)},
    KnownItem{physical_sector_item, "physical sector size", sizeof(le32)},
    KnownItem{parent_locator_item, "parent locator", 0},
};

const KnownItem* known_item(const MetadataTableEntry& entry) {
  const auto found = std::ranges::find_if(
      known_items, [&](const KnownItem& item) { return item.guid == entry.guid; });
  const bool is_user = (entry.flags & item_is_user) != 0;
  return found == known_items.end() || is_user ? nullptr : &*found;
}

void validate(const MetadataTableEntry& entry, const Region& region) {
  const KnownItem* const known = known_item(entry);
  if (known == nullptr) {
    if ((entry.flags & item_is_required) != 0) {
      throw_unsupported(
          layer, fmt::format("the required metadata item {} is not known", guid_text(entry.guid)));
    }
    return;
  }
  if (entry.offset < metadata_table_size || entry.length > max_item_length ||
      !fits(entry.offset, entry.length, region.length)) {
    throw_corrupt(
        layer, fmt::format("metadata item \"{}\" at {:#x} (+{:#x}) does not lie behind "
                           "the table in a region of {:#x}",
                           known->name, entry.offset.value(), entry.length.value(), region.length));
  }
  if (known->length != 0 && entry.length != known->length) {
    throw_corrupt(layer, fmt::format("metadata item \"{}\" is {} bytes long, not {}", known->name,
                                     entry.length.value(), known->length));
  }
}

std::vector<MetadataTableEntry> read_metadata_table(const Disk& file, const Region& region) {
  const auto header = read_object<MetadataTableHeader>(file, region.offset);
  if (header.signature != metadata_signature) {
    throw_corrupt(layer,
                  fmt::format("the signature \"metadata\" is missing at {:#x}", region.offset));
  }
  if (header.entry_count > max_table_entries) {
    throw_corrupt(layer, fmt::format("metadata table of {} entries; at most {} are possible",
                                     header.entry_count.value(), max_table_entries));
  }
  auto entries =
      read_table<MetadataTableEntry>(file, region.offset + sizeof(header), header.entry_count,
                                     metadata_table_size, layer, "metadata table");
  for (const MetadataTableEntry& entry : entries) {
    validate(entry, region);
  }
  return entries;
}

class Items {
 public:
  Items(const Disk& file, const Region& region)
      : file_(file), region_(region), entries_(read_metadata_table(file, region)) {}

  // Where the item is in the file; nothing when there is none.
  std::optional<Region> find(const Guid& guid) const {
    std::optional<Region> result;
    for (const MetadataTableEntry& entry : entries_) {
      const KnownItem* const known = known_item(entry);
      if (known == nullptr || known->guid != guid) {
        continue;
      }
      if (result) {
        throw_corrupt(layer, fmt::format("there are two metadata items \"{}\"", known->name));
      }
      result = Region{region_.offset + entry.offset, entry.length};
    }
    return result;
  }

  template <OnDisk T>
  T read(const Guid& guid, const char* name) const {
    const std::optional<Region> place = find(guid);
    if (!place) {
      throw_corrupt(layer, fmt::format("the metadata item \"{}\" is missing", name));
    }
    return read_object<T>(file_, place->offset);
  }

 private:
  const Disk& file_;
  const Region region_;
  const std::vector<MetadataTableEntry> entries_;
};

bool is_sector_size(std::uint32_t size) noexcept { return size == 512 || size == 4096; }

void validate(const Layout& layout) {
  if (!std::has_single_bit(layout.block_size) || layout.block_size < min_block_size ||
      layout.block_size > max_block_size) {
    throw_corrupt(layer, fmt::format("block size {:#x} is not a power of two from {:#x} to {:#x}",
                                     layout.block_size, min_block_size, max_block_size));
  }
  if (!is_sector_size(layout.sector_size) || !is_sector_size(layout.physical_sector_size)) {
    throw_corrupt(layer, fmt::format("sectors of {} bytes (physical: {}), not 512 or 4096",
                                     layout.sector_size, layout.physical_sector_size));
  }
  if (layout.disk_size > max_disk_size || layout.disk_size % layout.sector_size != 0) {
    throw_corrupt(layer, fmt::format("disk size {:#x} is not a multiple of {} up to {:#x}",
                                     layout.disk_size, layout.sector_size, max_disk_size));
  }
  const std::uint64_t needed = layout.entry_count() * sizeof(le64);
  if (needed > layout.bat.length) {
    throw_corrupt(layer, fmt::format("BAT of {:#x} bytes is too short for a disk of {:#x}: it "
                                     "takes {:#x}",
                                     layout.bat.length, layout.disk_size, needed));
  }
}

}  // namespace

std::uint64_t Layout::entry_count() const noexcept {
  const std::uint64_t blocks = block_count();
  if (blocks == 0) {
    return 0;
  }
  return parent_locator ? bitmap_index((blocks - 1) / chunk_ratio()) + 1
                        : payload_index(blocks - 1) + 1;
}

bool Layout::is_occupied(std::uint64_t offset, std::uint64_t length) const noexcept {
  const auto next = std::ranges::lower_bound(occupied, offset, {}, &Region::offset);
  const bool runs_into_next = next != occupied.end() && next->offset - offset < length;
  return runs_into_next || (next != occupied.begin() && std::prev(next)->end() > offset);
}

Layout read_layout(const Disk& file, const Header& header) {
  Layout layout;
  read_regions(file, header, layout);
  const Items items(file, layout.metadata);
  const auto parameters = items.read<FileParameters>(file_parameters_item, "file parameters");
  layout.block_size = parameters.block_size;
  layout.is_fixed = (parameters.flags & leave_block_allocated) != 0;
  layout.disk_size = items.read<le64>(disk_size_item, "virtual disk size");
  layout.disk_id = items.read<Guid>(disk_id_item, "virtual disk identifier");
  layout.sector_size = items.read<le32>(logical_sector_item, "logical sector size");
  layout.physical_sector_size = items.read<le32>(physical_sector_item, "physical sector size");
  if ((parameters.flags & has_parent) != 0) {
    layout.parent_locator = items.find(parent_locator_item);
    if (!layout.parent_locator) {
      throw_corrupt(layer,
                    "the disk has a parent, but the metadata item \"parent locator\" is "
                    "missing");
    }
  }
  validate(layout);
  return layout;
}

}  // namespace vimg::vhdx
