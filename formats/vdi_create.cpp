#include "formats/vdi_create.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/vdi_layout.h"

namespace vimg::vdi {
namespace {

constexpr std::uint64_t block_size = 1U << 20;  // the only one that QEMU reads
constexpr std::uint64_t table_offset = 512;
constexpr std::uint64_t max_size = 0x3fffffff * block_size;
constexpr std::uint64_t piece_entries = 16384;
constexpr std::string_view text = "<<< Oracle VM VirtualBox Disk Image >>>\n";

enum class Kind { dynamic, preallocated };

RawHeader new_header(std::uint64_t size, Kind kind) {
  const std::uint64_t count = divide_up(size, block_size);
  RawHeader header{};
  std::ranges::copy(text, header.text.begin());
  header.signature = signature;
  header.version = version_1_1;
  header.header_size = 0x190;
  header.type = kind == Kind::dynamic ? type_dynamic : type_static;
  header.table_offset = table_offset;
  header.data_offset = std::uint32_t(round_up(table_offset + count * sizeof(le32), block_size));
  header.sector_size = sector;
  header.disk_size = size;
  header.block_size = block_size;
  header.block_count = std::uint32_t(count);
  header.blocks_allocated = kind == Kind::dynamic ? 0 : std::uint32_t(count);
  header.id = random_guid();
  header.modification_id = random_guid();
  return header;
}

void write_table(Disk& file, std::uint64_t count, Kind kind) {
  std::vector<le32> entries;
  for (std::uint64_t index = 0; index < count; index += entries.size()) {
    entries.resize(std::min(piece_entries, count - index));
    for (std::size_t i = 0; i < entries.size(); ++i) {
      entries[i] = kind == Kind::dynamic ? entry_free : std::uint32_t(index + i);
    }
    file.write(table_offset + index * sizeof(le32), std::as_bytes(std::span(entries)));
  }
}

}  // namespace

void create(Disk& file, NewImage image) {
  if (!image.backing_file.empty()) {
    throw_error(EOPNOTSUPP, layer, "images on a backing file are not made");
  }
  const Kind kind = image.options.take_flag("static", false) ? Kind::preallocated : Kind::dynamic;
  image.options.refuse_rest(layer);
  if (image.size > max_size || image.size % sector != 0) {
    throw_error(EINVAL, layer,
                fmt::format("a disk of {} bytes; multiples of {} to {} are possible", image.size,
                            sector, max_size));
  }
  const RawHeader header = new_header(image.size, kind);
  const std::uint64_t blocks = header.blocks_allocated;
  file.resize(header.data_offset + blocks * block_size);
  write_table(file, header.block_count, kind);
  file.write(0, bytes_of(header));
  file.flush();
}

}  // namespace vimg::vdi
