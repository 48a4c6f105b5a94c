// bochs: growing images of the Bochs emulator, read-only.
//
// Spec: bochs iodev/hdimage/hdimage.h (redolog_header_t); qemu block/bochs.c.  All integers are
// little-endian.
#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "disk/cached_disk.h"
#include "disk/checked.h"
#include "disk/error.h"
#include "formats/block_disk.h"
#include "formats/driver.h"

namespace vimg {
namespace {

constexpr char layer[] = "bochs";
constexpr std::string_view magic = "Bochs Virtual HD Image";
constexpr std::uint32_t version_1 = 0x00010000;
constexpr std::uint32_t version_2 = 0x00020000;
constexpr std::uint64_t sector = 512;
constexpr std::uint64_t max_extent_size = 1U << 23;  // QEMU's limit
constexpr std::uint32_t no_extent = 0xffffffff;

struct RawHeader {
  std::array<char, 32> magic;
  std::array<char, 16> type;     // "Redolog"
  std::array<char, 16> subtype;  // "Growing", others are not disks of their own
  le32 version;
  le32 header_size;  // bytes
  le32 catalog_entries;
  le32 bitmap_size;  // bytes
  le32 extent_size;  // bytes
  le32 time_stamp;   // version 2; version 1 has the disk's size here
  le64 disk_size;    // bytes
};
static_assert(sizeof(RawHeader) == 96 && OnDisk<RawHeader>);

struct Header {
  std::uint64_t catalog_offset;
  std::uint64_t catalog_entries;
  std::uint64_t data_offset;
  std::uint64_t bitmap_bytes;  // with its padding
  std::uint64_t extent_size;
  std::uint64_t size;  // bytes
};

std::string_view text_in(const std::array<char, 16>& field) noexcept {
  const std::string_view text(field.data(), field.size());
  return text.substr(0, text.find('\0'));
}

void validate_kind(const RawHeader& raw) {
  if (text_in(raw.type) != "Redolog" || text_in(raw.subtype) != "Growing") {
    throw_unsupported(layer, fmt::format("a {} {} image; only growing ones can be read",
                                         text_in(raw.subtype), text_in(raw.type)));
  }
  if (raw.version != version_1 && raw.version != version_2) {
    throw_unsupported(layer, fmt::format("version {:#x} is not known", raw.version.value()));
  }
}

void validate(const RawHeader& raw, std::uint64_t disk_size, std::uint64_t file_size) {
  const std::uint32_t extent_size = raw.extent_size;
  if (!std::has_single_bit(extent_size) || extent_size < sector || extent_size > max_extent_size) {
    throw_corrupt(layer,
                  fmt::format("extents of {:#x} bytes; a power of two from {:#x} to {:#x} is "
                              "possible",
                              extent_size, sector, max_extent_size));
  }
  if (std::uint64_t{raw.bitmap_size} * 8 < extent_size / sector) {
    throw_corrupt(layer, fmt::format("bitmaps of {:#x} bytes are too small for extents of {:#x}",
                                     raw.bitmap_size.value(), extent_size));
  }
  const std::uint64_t catalog_bytes = std::uint64_t{raw.catalog_entries} * sizeof(le32);
  if (!fits(raw.header_size, catalog_bytes, file_size)) {
    throw_corrupt(layer, fmt::format("catalog at {:#x} (+{:#x}) lies beyond the file end {:#x}",
                                     raw.header_size.value(), catalog_bytes, file_size));
  }
  if (disk_size > std::uint64_t{raw.catalog_entries} * extent_size) {
    throw_corrupt(layer, fmt::format("a disk of {:#x} bytes is more than {} extents of {:#x}",
                                     disk_size, raw.catalog_entries.value(), extent_size));
  }
}

Header read_header(const Disk& file) {
  const auto raw = read_object<RawHeader>(file, 0);
  validate_kind(raw);
  constexpr std::uint64_t version_1_size_offset = 84;
  const std::uint64_t disk_size = raw.version == version_1
                                      ? read_object<le64>(file, version_1_size_offset).value()
                                      : raw.disk_size.value();
  validate(raw, disk_size, file.size());
  Header header;
  header.catalog_offset = raw.header_size;
  header.catalog_entries = raw.catalog_entries;
  header.data_offset = raw.header_size + header.catalog_entries * sizeof(le32);
  header.bitmap_bytes = round_up(raw.bitmap_size, sector);
  header.extent_size = raw.extent_size;
  header.size = round_down(disk_size, sector);
  return header;
}

// An extent is a bitmap of the sectors that were written, and room for all of them.
class BochsMap final : public BlockMap {
 public:
  BochsMap(const Header& header, DiskPtr file, std::uint64_t cache_bytes)
      : header_(header), tables_(make_cached_disk(std::move(file), cache_bytes)) {}

  BlockRun find(std::uint64_t offset, std::uint64_t max) const override {
    const std::uint64_t index = offset / header_.extent_size;
    const std::uint64_t skip = offset % header_.extent_size;
    const std::uint64_t length = std::min(max, header_.extent_size - skip);
    const std::uint32_t number =
        read_object<le32>(*tables_, header_.catalog_offset + index * sizeof(le32));
    if (number == no_extent) {
      return {BlockRun::Kind::unmapped, length};
    }
    const std::uint64_t bitmap =
        header_.data_offset + number * (header_.bitmap_bytes + header_.extent_size);
    return find_in(bitmap, skip, length);
  }

 private:
  bool written(std::uint64_t bitmap, std::uint64_t index) const {
    const std::uint64_t at = bitmap + index / 8;
    if (at >= tables_->size()) {
      throw_corrupt(layer, fmt::format("bitmap at {:#x} lies beyond the file end {:#x}", bitmap,
                                       tables_->size()));
    }
    std::byte bits{};
    tables_->read(at, Bytes(&bits, 1));
    return (std::to_integer<unsigned>(bits) >> (index % 8) & 1U) != 0;
  }

  // At most an extent of sectors, 16,384.
  BlockRun find_in(std::uint64_t bitmap, std::uint64_t skip, std::uint64_t max) const {
    std::uint64_t index = skip / sector;
    const bool is_data = written(bitmap, index);
    std::uint64_t length = std::min(max, sector - skip % sector);
    while (length < max && written(bitmap, ++index) == is_data) {
      length += std::min(max - length, sector);
    }
    if (!is_data) {
      return {BlockRun::Kind::unmapped, length};
    }
    return {BlockRun::Kind::data, length, bitmap + header_.bitmap_bytes + skip};
  }

  const Header header_;
  const DiskPtr tables_;
};

bool probe(const Disk& file) {
  std::array<std::byte, magic.size()> head{};
  read_padded(file, 0, head);
  return text_of(head) == magic;
}

DiskPtr open(DiskPtr file, OpenContext& context) {
  if (!context.snapshot().empty()) {
    throw_error(EINVAL, layer, "has no internal snapshots");
  }
  const Header header = read_header(*file);
  BlockDiskParts parts;
  parts.size = header.size;
  parts.file = file;
  return make_block_disk(std::make_unique<BochsMap>(header, std::move(file), context.cache_bytes()),
                         std::move(parts));
}

ImageInfo info(const Disk& file) {
  const Header header = read_header(file);
  ImageInfo info;
  info.format = "bochs";
  info.virtual_size = header.size;
  info.facts.emplace_back("cluster size", std::to_string(header.extent_size));
  return info;
}

}  // namespace

extern const FormatDriver bochs_driver;
const FormatDriver bochs_driver{"bochs", "Bochs growing images, read-only", probe, open, info};

}  // namespace vimg
