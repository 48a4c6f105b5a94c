#include "formats/vhd_create.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/guid.h"
#include "formats/vhd_layout.h"

namespace vimg::vhd {
namespace {

constexpr std::uint32_t block_size = 2U << 20;  // the specification's default
constexpr std::uint64_t dynamic_offset = 512;
constexpr std::uint64_t table_offset = dynamic_offset + sizeof(DynamicHeader);
constexpr std::uint64_t max_size = 2040ULL << 30;  // the specification's limit
constexpr std::int64_t year_2000 = 946684800;

struct Geometry {
  std::uint16_t cylinders;
  std::uint8_t heads;
  std::uint8_t track_sectors;
};

// Spec: "Appendix: CHS Calculation".
Geometry geometry_of(std::uint64_t sectors) noexcept {
  sectors = std::min<std::uint64_t>(sectors, 65535ULL * 16 * 255);
  if (sectors >= 65535ULL * 16 * 63) {
    return {std::uint16_t(sectors / 255 / 16), 16, 255};
  }
  std::uint64_t track_sectors = 17;
  std::uint64_t tracks = sectors / track_sectors;
  std::uint64_t heads = std::max<std::uint64_t>(divide_up(tracks, 1024), 4);
  if (tracks >= heads * 1024 || heads > 16) {
    track_sectors = 31;
    heads = 16;
    tracks = sectors / track_sectors;
  }
  if (tracks >= heads * 1024) {
    track_sectors = 63;
    heads = 16;
    tracks = sectors / track_sectors;
  }
  return {std::uint16_t(tracks / heads), std::uint8_t(heads), std::uint8_t(track_sectors)};
}

void put(auto& field, std::string_view text) { std::ranges::copy(text, field.begin()); }

// "qem2" as creator makes every reader go by the size rather than by the geometry.
Footer new_footer(std::uint64_t size, std::uint32_t type) {
  const Geometry geometry = geometry_of(size / sector);
  Footer footer{};
  put(footer.cookie, "conectix");
  footer.features = 2;  // reserved, must be set
  footer.version = format_version;
  footer.data_offset = type == type_fixed ? ~std::uint64_t{0} : dynamic_offset;
  footer.time_stamp = std::uint32_t(std::time(nullptr) - year_2000);
  put(footer.creator, "qem2");
  footer.creator_version = 0x00050003;
  put(footer.creator_host, "Wi2k");
  footer.original_size = size;
  footer.current_size = size;
  footer.cylinders = geometry.cylinders;
  footer.heads = geometry.heads;
  footer.track_sectors = geometry.track_sectors;
  footer.type = type;
  const Guid id = random_guid();
  std::ranges::copy(bytes_of(id), std::as_writable_bytes(std::span(footer.id)).begin());
  footer.checksum = checksum_of(footer);
  return footer;
}

void create_fixed(Disk& file, std::uint64_t size) {
  file.resize(size + sector);
  file.write(size, bytes_of(new_footer(size, type_fixed)));
}

void create_dynamic(Disk& file, std::uint64_t size) {
  const std::uint64_t entries = divide_up(size, block_size);
  const std::uint64_t footer_offset = round_up(table_offset + entries * sizeof(be32), sector);
  DynamicHeader header{};
  put(header.cookie, "cxsparse");
  header.data_offset = ~std::uint64_t{0};
  header.table_offset = table_offset;
  header.version = format_version;
  header.table_entries = std::uint32_t(entries);
  header.block_size = block_size;
  header.checksum = checksum_of(header);
  const Footer footer = new_footer(size, type_dynamic);
  const std::vector<std::byte> table(footer_offset - table_offset, std::byte{0xff});
  file.resize(footer_offset + sector);
  file.write(dynamic_offset, bytes_of(header));
  file.write(table_offset, table);
  file.write(footer_offset, bytes_of(footer));
  file.write(0, bytes_of(footer));
}

}  // namespace

void create(Disk& file, NewImage image) {
  if (!image.backing_file.empty()) {
    throw_error(EOPNOTSUPP, layer, "images on a backing file are not made");
  }
  const std::string kind = image.options.take("subformat").value_or("dynamic");
  if (!image.options.take_flag("force_size", true)) {
    throw_error(EINVAL, layer, "sizes are never rounded to a geometry; force_size is always on");
  }
  image.options.refuse_rest(layer);
  if (image.size == 0 || image.size % sector != 0 || image.size > max_size) {
    throw_error(EINVAL, layer,
                fmt::format("a disk of {} bytes; multiples of {} to {} are possible", image.size,
                            sector, max_size));
  }
  if (kind != "dynamic" && kind != "fixed") {
    throw_error(EINVAL, layer, fmt::format("subformat is dynamic or fixed, not {}", kind));
  }
  if (kind == "fixed") {
    create_fixed(file, image.size);
  } else {
    create_dynamic(file, image.size);
  }
  file.flush();
}

}  // namespace vimg::vhd
