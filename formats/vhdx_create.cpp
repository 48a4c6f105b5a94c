#include "formats/vhdx_create.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/escape.h"
#include "formats/vhdx_header.h"
#include "formats/vhdx_metadata.h"

namespace vimg::vhdx {
namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30;
constexpr std::uint64_t tib = std::uint64_t{1} << 40;
constexpr std::uint32_t new_sector_size = 512;
constexpr std::uint32_t first_item = 64U << 10;  // where the metadata items begin in their region
constexpr std::u16string_view creator = u"vimgmount";

struct NewLayout {
  Layout layout;
  std::uint64_t log_length = 0;
  std::uint64_t data = 0;  // where blocks begin
  bool zero_state = false;
};

// Larger disks get larger blocks, so that the BAT stays small: QEMU's choice.
std::uint64_t default_block_size(std::uint64_t disk_size) noexcept {
  if (disk_size > 32 * tib) {
    return 64 * mib;
  }
  if (disk_size > 100 * gib) {
    return 32 * mib;
  }
  return disk_size > gib ? 16 * mib : 8 * mib;
}

std::uint32_t take_block_size(NewImage& image) {
  const std::uint64_t given = image.options.take_size("block_size", 0);
  const std::uint64_t size = given != 0 ? given : default_block_size(image.size);
  if (!std::has_single_bit(size) || size < min_block_size || size > max_block_size) {
    throw_error(EINVAL, layer,
                fmt::format("block_size {} is not a power of two from {} to {}", size,
                            min_block_size, max_block_size));
  }
  return std::uint32_t(size);
}

std::uint64_t take_log_size(NewImage& image) {
  const std::uint64_t size = image.options.take_size("log_size", mib);
  if (size == 0 || size % mib != 0 || size > max_log_length) {
    throw_error(
        EINVAL, layer,
        fmt::format("log_size {} is not a multiple of {} up to {}", size, mib, max_log_length));
  }
  return size;
}

bool take_is_fixed(NewImage& image) {
  const std::string kind = image.options.take("subformat").value_or("dynamic");
  if (kind != "dynamic" && kind != "fixed") {
    throw_error(EINVAL, layer,
                fmt::format("subformat is dynamic or fixed, not {}", in_quotes(kind)));
  }
  return kind == "fixed";
}

void validate(const Disk& file, const NewImage& image) {
  if (file.size() != 0) {
    throw_error(EINVAL, layer, "the file for a new image is not empty");
  }
  if (!image.backing_file.empty()) {
    throw_unsupported(layer, "differencing images cannot be made");
  }
  if (image.compress) {
    throw_error(EINVAL, layer, "the format does not compress");
  }
  if (image.size > max_disk_size) {
    throw_error(
        EINVAL, layer,
        fmt::format("size {:#x} is beyond the largest disk {:#x}", image.size, max_disk_size));
  }
}

// Headers, log, metadata, BAT, blocks.
NewLayout plan(NewImage& image) {
  NewLayout plan;
  Layout& layout = plan.layout;
  layout.disk_size = round_up(image.size, new_sector_size);
  layout.sector_size = new_sector_size;
  layout.physical_sector_size = new_sector_size;
  layout.block_size = take_block_size(image);
  layout.is_fixed = take_is_fixed(image);
  layout.disk_id = random_guid();
  plan.log_length = take_log_size(image);
  plan.zero_state = image.options.take_flag("block_state_zero", true);
  image.options.refuse_rest(layer);
  layout.metadata = {header_section_size + plan.log_length, mib};
  const std::uint64_t bat_length = round_up(layout.entry_count() * sizeof(le64), mib);
  layout.bat = {layout.metadata.end(), std::max(bat_length, mib)};
  plan.data = layout.bat.end();
  return plan;
}

void write_regions(Disk& file, const Layout& layout) {
  std::vector<std::byte> table(region_table_size);
  const std::array entries{
      RegionTableEntry{bat_region, layout.bat.offset, std::uint32_t(layout.bat.length),
                       region_is_required},
      RegionTableEntry{metadata_region, layout.metadata.offset,
                       std::uint32_t(layout.metadata.length), region_is_required},
  };
  store(Bytes(table), 0, RegionTableHeader{region_signature, 0, entries.size(), 0});
  store(Bytes(table), sizeof(RegionTableHeader), entries);
  store(Bytes(table), offsetof(RegionTableHeader, checksum),
        le32(checksum_of(table, offsetof(RegionTableHeader, checksum))));
  for (const std::uint64_t offset : region_table_offsets) {
    file.write(offset, table);
  }
}

class MetadataBuilder {
 public:
  template <OnDisk T>
  void add(const Guid& guid, std::uint32_t flags, const T& item) {
    const auto offset = std::uint32_t(first_item + items_.size());
    entries_.push_back({guid, offset, sizeof(T), flags | item_is_required, 0});
    const ConstBytes content = bytes_of(item);
    items_.insert(items_.end(), content.begin(), content.end());
  }

  void write(Disk& file, std::uint64_t region) const {
    file.write(region, bytes_of(MetadataTableHeader{
                           metadata_signature, 0, std::uint16_t(entries_.size()), {}}));
    file.write(region + sizeof(MetadataTableHeader), std::as_bytes(std::span(entries_)));
    file.write(region + first_item, items_);
  }

 private:
  std::vector<MetadataTableEntry> entries_;
  std::vector<std::byte> items_;
};

void write_metadata(Disk& file, const Layout& layout) {
  MetadataBuilder metadata;
  metadata.add(file_parameters_item, 0,
               FileParameters{layout.block_size, layout.is_fixed ? leave_block_allocated : 0});
  metadata.add(disk_size_item, item_is_virtual_disk, le64(layout.disk_size));
  metadata.add(disk_id_item, item_is_virtual_disk, layout.disk_id);
  metadata.add(logical_sector_item, item_is_virtual_disk, le32(layout.sector_size));
  metadata.add(physical_sector_item, item_is_virtual_disk, le32(layout.physical_sector_size));
  metadata.write(file, layout.metadata.offset);
}

std::uint64_t new_entry(const NewLayout& plan, std::uint64_t block) {
  if (plan.layout.is_fixed) {
    return (plan.data + block * plan.layout.block_size) | std::uint64_t(BlockState::fully_present);
  }
  return std::uint64_t(BlockState::zero);
}

// The entries of one chunk at a time; that of its bitmap stays 0.
void write_bat(Disk& file, const NewLayout& plan) {
  const Layout& layout = plan.layout;
  if (!layout.is_fixed && !plan.zero_state) {
    return;
  }
  std::vector<le64> entries;
  for (std::uint64_t block = 0; block < layout.block_count(); block += entries.size()) {
    const std::uint64_t count = std::min(layout.chunk_ratio(), layout.block_count() - block);
    entries.resize(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      entries[i] = new_entry(plan, block + i);
    }
    file.write(layout.bat.offset + layout.payload_index(block) * sizeof(le64),
               std::as_bytes(std::span(entries)));
  }
}

void write_headers(Disk& file, const NewLayout& plan) {
  Header header{};
  header.signature = header_signature;
  header.file_write_guid = random_guid();
  header.data_write_guid = random_guid();
  header.version = 1;
  header.log_length = std::uint32_t(plan.log_length);
  header.log_offset = header_section_size;
  CurrentHeader current{header, 0};
  update_headers(file, current, header);
}

void write_identifier(Disk& file) {
  FileIdentifier identifier{};
  identifier.signature = file_signature;
  std::ranges::copy(creator, identifier.creator.begin());
  file.write(0, bytes_of(identifier));
}

}  // namespace

// The signature comes last, so that a file cut short by a crash is not taken for an image.
void create(Disk& file, NewImage image) {
  validate(file, image);
  const NewLayout plan_of_image = plan(image);
  const Layout& layout = plan_of_image.layout;
  const std::uint64_t blocks = layout.is_fixed ? layout.block_count() * layout.block_size : 0;
  file.resize(plan_of_image.data + blocks);
  write_regions(file, layout);
  write_metadata(file, layout);
  write_bat(file, plan_of_image);
  write_headers(file, plan_of_image);
  write_identifier(file);
  file.flush();
}

}  // namespace vimg::vhdx
