#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/vdi_layout.h"

namespace vimg::vdi {
namespace {

constexpr std::uint32_t min_block_size = 4096;
constexpr std::uint32_t max_block_size = 256U << 20;
constexpr std::uint64_t max_blocks = 0x3fffffff;  // QEMU's limit

void validate_kind(const RawHeader& raw) {
  if (raw.signature != signature) {
    throw_corrupt(layer,
                  fmt::format("signature {:#x}, expected {:#x}", raw.signature.value(), signature));
  }
  if (raw.version != version_1_1 && raw.version >> 16 != 0) {
    throw_unsupported(layer, fmt::format("version {}.{}, only 0 and 1.1 are known",
                                         raw.version >> 16, raw.version & 0xffff));
  }
  if (raw.type != type_dynamic && raw.type != type_static && raw.type != type_differencing) {
    throw_unsupported(layer, fmt::format("image type {}; dynamic, static and differencing images "
                                         "are known",
                                         raw.type.value()));
  }
}

void validate_sizes(const RawHeader& raw) {
  const std::uint32_t block_size = raw.block_size;
  if (!std::has_single_bit(block_size) || block_size < min_block_size ||
      block_size > max_block_size || raw.block_extra > max_block_size ||
      raw.block_extra % sector != 0) {
    throw_corrupt(layer,
                  fmt::format("blocks of {:#x} bytes after {:#x}; a power of two from {:#x} "
                              "to {:#x} is possible",
                              block_size, raw.block_extra.value(), min_block_size, max_block_size));
  }
  if (raw.block_count > max_blocks || raw.disk_size > std::uint64_t{raw.block_count} * block_size) {
    throw_corrupt(layer, fmt::format("a disk of {:#x} bytes in {:#x} blocks of {:#x}",
                                     raw.disk_size.value(), raw.block_count.value(), block_size));
  }
}

void validate_places(const RawHeader& raw, std::uint64_t header_size, std::uint64_t file_size) {
  const std::uint64_t table_bytes = std::uint64_t{raw.block_count} * sizeof(le32);
  if (raw.table_offset < header_size || raw.table_offset % sizeof(le32) != 0 ||
      !fits(raw.table_offset, table_bytes, std::min<std::uint64_t>(file_size, raw.data_offset))) {
    throw_corrupt(
        layer,
        fmt::format("block table at {:#x} (+{:#x}) lies in the header, in the data "
                    "at {:#x} or beyond the file end {:#x}",
                    raw.table_offset.value(), table_bytes, raw.data_offset.value(), file_size));
  }
  if (raw.version == version_1_1 && raw.data_offset % sector != 0) {
    throw_corrupt(layer, fmt::format("data at {:#x} is not aligned", raw.data_offset.value()));
  }
}

// An old header in the new one's terms.
RawHeader from_version_0(const RawHeader0& old) {
  RawHeader raw{};
  raw.signature = old.signature;
  raw.version = old.version;
  raw.type = old.type;
  raw.table_offset = sizeof(RawHeader0);
  const std::uint64_t data = sizeof(RawHeader0) + std::uint64_t{old.block_count} * sizeof(le32);
  if (data > std::numeric_limits<std::uint32_t>::max()) {
    throw_corrupt(layer, fmt::format("a table of {:#x} blocks", old.block_count.value()));
  }
  raw.data_offset = std::uint32_t(data);
  raw.disk_size = old.disk_size;
  raw.block_size = old.block_size;
  raw.block_count = old.block_count;
  raw.blocks_allocated = old.blocks_allocated;
  raw.id = old.id;
  raw.modification_id = old.modification_id;
  raw.parent_id = old.parent_id;
  return raw;
}

}  // namespace

bool has_signature(const Disk& file) {
  le32 found;
  read_padded(file, signature_offset, writable_bytes_of(found));
  return found == signature;
}

Header read_header(const Disk& file) {
  const auto old = read_object<RawHeader0>(file, 0);
  const bool is_old = old.version >> 16 == 0;
  const RawHeader raw = is_old ? from_version_0(old) : read_object<RawHeader>(file, 0);
  validate_kind(raw);
  validate_sizes(raw);
  validate_places(raw, is_old ? sizeof(RawHeader0) : sizeof(RawHeader), file.size());
  return {.type = raw.type,
          .allocated_offset = is_old ? offsetof(RawHeader0, blocks_allocated)
                                     : offsetof(RawHeader, blocks_allocated),
          .modification_offset =
              is_old ? offsetof(RawHeader0, modification_id) : offsetof(RawHeader, modification_id),
          .table_offset = raw.table_offset,
          .data_offset = raw.data_offset,
          .size = round_up(raw.disk_size, sector),
          .block_size = raw.block_size,
          .block_extra = raw.block_extra,
          .block_count = raw.block_count,
          .blocks_allocated = raw.blocks_allocated,
          .id = raw.id,
          .modification_id = raw.modification_id,
          .parent_id = raw.parent_id,
          .parent_modification_id = raw.parent_modification_id};
}

}  // namespace vimg::vdi
