#include <algorithm>
#include <bit>
#include <string_view>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/vhd_layout.h"

namespace vimg::vhd {
namespace {

constexpr std::uint32_t min_block_size = 4096;
constexpr std::uint32_t max_block_size = 256U << 20;
constexpr std::uint64_t short_footer = 511;                  // Virtual PC before 2004
constexpr std::uint64_t max_geometry = 65535ULL * 16 * 255;  // sectors

std::uint32_t sum_of(ConstBytes data) noexcept {
  std::uint32_t sum = 0;
  for (const std::byte byte : data) {
    sum += std::to_integer<std::uint32_t>(byte);
  }
  return ~sum;
}

template <std::size_t size>
bool is(const std::array<char, size>& field, std::string_view text) noexcept {
  return std::string_view(field.data(), field.size()) == text;
}

bool is_sound(const Footer& footer) noexcept {
  return is(footer.cookie, "conectix") && checksum_of(footer) == footer.checksum;
}

// The footer at the file's end, which older programs wrote a byte short.
std::optional<Footer> footer_at_end(const Disk& file) {
  for (const std::uint64_t length : {sector, short_footer}) {
    if (file.size() < length) {
      continue;
    }
    Footer footer{};
    file.read(file.size() - length, writable_bytes_of(footer).first(length));
    if (is_sound(footer)) {
      return footer;
    }
  }
  return std::nullopt;
}

// A guest may write what it likes into the last sector of a raw disk, so a fixed disk has to fit
// its file, too.
bool fits_fixed(const Footer& footer, std::uint64_t file_size) noexcept {
  return footer.type == type_fixed && footer.version == format_version &&
         footer.current_size < file_size && file_size - footer.current_size <= sector;
}

// Who made the image decides which size it goes by: Virtual PC and QEMU before 2.1 by the geometry,
// which may be less than what was asked for; all others by the size, as QEMU 10 and libvhdi do.
std::uint64_t size_of(const Footer& footer) noexcept {
  const bool by_geometry = is(footer.creator, "vpc ") || is(footer.creator, "qemu");
  const std::uint64_t geometry =
      std::uint64_t{footer.cylinders} * footer.heads * footer.track_sectors;
  if (!by_geometry || geometry >= max_geometry || geometry == 0) {
    return round_down(footer.current_size, sector);
  }
  return geometry * sector;
}

void validate_dynamic(const DynamicHeader& dynamic, std::uint64_t offset) {
  if (!is(dynamic.cookie, "cxsparse")) {
    throw_corrupt(layer, fmt::format("no dynamic disk header at {:#x}", offset));
  }
  if (const std::uint32_t sum = checksum_of(dynamic); sum != dynamic.checksum) {
    throw_corrupt(layer, fmt::format("dynamic disk header at {:#x} has checksum {:#x}, expected "
                                     "{:#x}",
                                     offset, dynamic.checksum.value(), sum));
  }
  const std::uint32_t block_size = dynamic.block_size;
  if (!std::has_single_bit(block_size) || block_size < min_block_size ||
      block_size > max_block_size) {
    throw_corrupt(layer, fmt::format("blocks of {:#x} bytes; a power of two from {:#x} to {:#x} is "
                                     "possible",
                                     block_size, min_block_size, max_block_size));
  }
}

void read_dynamic(const Disk& file, Header& header) {
  const std::uint64_t offset = header.footer.data_offset;
  if (!fits(offset, sizeof(DynamicHeader), file.size())) {
    throw_corrupt(layer, fmt::format("dynamic disk header at {:#x} lies beyond the file end {:#x}",
                                     offset, file.size()));
  }
  header.dynamic = read_object<DynamicHeader>(file, offset);
  validate_dynamic(header.dynamic, offset);
  header.table_offset = header.dynamic.table_offset;
  header.table_entries = header.dynamic.table_entries;
  header.block_size = header.dynamic.block_size;
  header.bitmap_bytes = round_up(divide_up(header.block_size / sector, 8), sector);
  if (!fits(header.table_offset, header.table_entries * sizeof(be32), file.size())) {
    throw_corrupt(
        layer, fmt::format("block table at {:#x} (+{:#x}) lies beyond the file end {:#x}",
                           header.table_offset, header.table_entries * sizeof(be32), file.size()));
  }
  // The table may be short of the geometry's last bit; what it does not map is not there.
  header.size = std::min(header.size, header.table_entries * header.block_size);
}

Footer read_footer(const Disk& file, Header& header) {
  const std::optional<Footer> at_end = footer_at_end(file);
  if (at_end) {
    return *at_end;
  }
  header.footer_is_missing = true;
  const auto copy = file.size() >= sector ? read_object<Footer>(file, 0) : Footer{};
  if (!is_sound(copy)) {
    throw_corrupt(layer, "neither the footer nor its copy at the beginning has the right checksum");
  }
  return copy;
}

}  // namespace

bool Header::meets_tables(std::uint64_t place) const noexcept {
  const auto meets = [&](std::uint64_t offset, std::uint64_t length) {
    return place < offset + length && offset < place + stride();
  };
  return meets(0, sizeof(Footer)) || meets(footer.data_offset, sizeof(DynamicHeader)) ||
         meets(table_offset, table_entries * sizeof(be32));
}

std::uint32_t checksum_of(Footer footer) noexcept {
  footer.checksum = 0;
  return sum_of(bytes_of(footer));
}

std::uint32_t checksum_of(DynamicHeader header) noexcept {
  header.checksum = 0;
  return sum_of(bytes_of(header));
}

bool has_footer(const Disk& file) {
  std::array<std::byte, 8> head{};
  read_padded(file, 0, head);
  if (text_of(head) == "conectix") {
    return true;
  }
  const std::optional<Footer> footer = footer_at_end(file);
  return footer && fits_fixed(*footer, file.size());
}

Header read_header(const Disk& file) {
  Header header;
  header.footer = read_footer(file, header);
  const Footer& footer = header.footer;
  if (footer.version >> 16 != format_version >> 16) {
    throw_unsupported(layer, fmt::format("version {}.{}, only 1 is known", footer.version >> 16,
                                         footer.version & 0xffff));
  }
  header.size = size_of(footer);
  switch (footer.type) {
    case type_fixed:
      if (header.size > file.size()) {
        throw_corrupt(layer, fmt::format("a fixed disk of {:#x} bytes in a file of {:#x}",
                                         header.size, file.size()));
      }
      break;
    case type_dynamic:
    case type_differencing:
      read_dynamic(file, header);
      break;
    default:
      throw_unsupported(layer, fmt::format("disk type {}; fixed, dynamic and differencing disks "
                                           "are known",
                                           footer.type.value()));
  }
  return header;
}

}  // namespace vimg::vhd
