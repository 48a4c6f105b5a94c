// parallels: expandable disks of Parallels Desktop, both versions, read-only.
//
// Spec: qemu docs/interop/parallels.txt.  All integers are little-endian.
#include <algorithm>
#include <array>
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

constexpr char layer[] = "parallels";
constexpr std::string_view magic_sectors = "WithoutFreeSpace";  // BAT entries count sectors
constexpr std::string_view magic_blocks = "WithouFreSpacExt";   // BAT entries count blocks
constexpr std::uint32_t version = 2;
constexpr std::uint32_t in_use = 0x746F6E59;
constexpr std::uint64_t sector = 512;
constexpr std::uint64_t max_block_sectors = 1U << 22;  // 2 GiB, QEMU's limit

// Spec: "header".
struct RawHeader {
  std::array<char, 16> magic;
  le32 version;
  le32 heads;
  le32 cylinders;
  le32 block_sectors;  // "tracks"
  le32 bat_entries;
  le64 sectors;  // of the disk; the upper half counts with magic_blocks only
  le32 in_use;
  le32 data_offset;  // sectors; 0 with magic_sectors: after the BAT
  le32 flags;
  le64 extension_offset;  // sectors; bitmaps and the like, not looked at
};
static_assert(sizeof(RawHeader) == 64 && OnDisk<RawHeader>);

struct Header {
  std::uint64_t block_size;  // bytes
  std::uint64_t entry_unit;  // bytes that an entry counts
  std::uint64_t bat_entries;
  std::uint64_t size;  // bytes
  bool dirty;
};

bool has_magic(const RawHeader& raw, std::string_view magic) noexcept {
  return std::string_view(raw.magic.data(), raw.magic.size()) == magic;
}

void validate(const RawHeader& raw, std::uint64_t file_size) {
  if (raw.version != version) {
    throw_unsupported(layer,
                      fmt::format("version {}, only {} is known", raw.version.value(), version));
  }
  if (raw.block_sectors == 0 || raw.block_sectors > max_block_sectors) {
    throw_corrupt(layer, fmt::format("blocks of {} sectors; 1 to {} are possible",
                                     raw.block_sectors.value(), max_block_sectors));
  }
  const std::uint64_t bat_bytes = std::uint64_t{raw.bat_entries} * sizeof(le32);
  if (!fits(sizeof(RawHeader), bat_bytes, file_size)) {
    throw_corrupt(layer, fmt::format("block table at {:#x} (+{:#x}) lies beyond the file end {:#x}",
                                     sizeof(RawHeader), bat_bytes, file_size));
  }
  if (raw.sectors > std::uint64_t(INT64_MAX) / sector && has_magic(raw, magic_blocks)) {
    throw_corrupt(layer, fmt::format("a disk of {:#x} sectors", raw.sectors.value()));
  }
}

Header read_header(const Disk& file) {
  const auto raw = read_object<RawHeader>(file, 0);
  validate(raw, file.size());
  const bool counts_blocks = has_magic(raw, magic_blocks);
  Header header;
  header.block_size = raw.block_sectors * sector;
  header.entry_unit = counts_blocks ? header.block_size : sector;
  header.bat_entries = raw.bat_entries;
  header.size = (counts_blocks ? raw.sectors.value() : raw.sectors & 0xffffffff) * sector;
  header.dirty = raw.in_use == in_use;
  return header;
}

// A table of places, one for each block; 0 is nothing, as the header lies there.
class ParallelsMap final : public BlockMap {
 public:
  ParallelsMap(const Header& header, DiskPtr file, std::uint64_t cache_bytes)
      : header_(header), table_(make_cached_disk(std::move(file), cache_bytes)) {}

  BlockRun find(std::uint64_t offset, std::uint64_t max) const override {
    const std::uint64_t skip = offset % header_.block_size;
    const std::uint64_t index = offset / header_.block_size;
    if (index >= header_.bat_entries) {
      return {BlockRun::Kind::unmapped, max};
    }
    const std::uint64_t length = std::min(max, header_.block_size - skip);
    const std::uint32_t entry =
        read_object<le32>(*table_, sizeof(RawHeader) + index * sizeof(le32));
    if (entry == 0) {
      return {BlockRun::Kind::unmapped, length};
    }
    return {BlockRun::Kind::data, length, entry * header_.entry_unit + skip};
  }

 private:
  const Header header_;
  const DiskPtr table_;
};

bool probe(const Disk& file) {
  std::array<std::byte, magic_sectors.size()> head{};
  read_padded(file, 0, head);
  return text_of(head) == magic_sectors || text_of(head) == magic_blocks;
}

DiskPtr open(DiskPtr file, OpenContext& context) {
  if (!context.snapshot().empty()) {
    throw_error(EINVAL, layer, "has no internal snapshots");
  }
  const Header header = read_header(*file);
  if (header.dirty) {
    context.warn("parallels: the image was not closed properly; its block table may be wrong");
  }
  BlockDiskParts parts;
  parts.size = header.size;
  parts.file = file;
  return make_block_disk(
      std::make_unique<ParallelsMap>(header, std::move(file), context.cache_bytes()),
      std::move(parts));
}

ImageInfo info(const Disk& file) {
  const Header header = read_header(file);
  ImageInfo info;
  info.format = "parallels";
  info.virtual_size = header.size;
  info.facts.emplace_back("cluster size", std::to_string(header.block_size));
  info.facts.emplace_back("dirty", header.dirty ? "true" : "false");
  return info;
}

}  // namespace

extern const FormatDriver parallels_driver;
const FormatDriver parallels_driver{"parallels", "Parallels expandable disks, read-only", probe,
                                    open, info};

}  // namespace vimg
