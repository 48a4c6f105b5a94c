#include "formats/vmdk_header.h"

#include <algorithm>
#include <bit>
#include <cstddef>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/vmdk_layout.h"

namespace vimg::vmdk {
namespace {

constexpr std::uint32_t max_version = 3;
constexpr std::uint32_t max_table_entries = 512;              // QEMU's limit
constexpr std::uint64_t max_directory_entries = 32U << 20;    // QEMU's limit
constexpr std::uint64_t max_grain_sectors = 0x200000;         // QEMU's limit, 1 GiB
constexpr std::uint64_t max_compressed_grain_sectors = 8192;  // it is decoded as a whole

template <OnDisk T>
T read_structure(const Disk& file, std::uint64_t offset, const char* what) {
  if (!fits(offset, sizeof(T), file.size())) {
    throw_corrupt(layer, fmt::format("{} at {:#x} lies beyond the file end {:#x}", what, offset,
                                     file.size()));
  }
  return read_object<T>(file, offset);
}

// The offset in bytes of a table of `entries` that begins at a sector.
std::uint64_t validated_directory(std::uint64_t sectors, std::uint64_t entries,
                                  std::uint64_t file_size, const char* what) {
  if (sectors == 0 || sectors > max_sectors ||
      !fits(sectors * sector, entries * sizeof(le32), file_size)) {
    throw_corrupt(layer, fmt::format("{} of {} entries at sector {:#x} lies beyond the file end "
                                     "{:#x}",
                                     what, entries, sectors, file_size));
  }
  return sectors * sector;
}

void validate_grain(std::uint64_t grain_sectors, std::uint64_t limit) {
  if (!std::has_single_bit(grain_sectors) || grain_sectors > limit) {
    throw_corrupt(layer, fmt::format("a grain of {} sectors, expected a power of two up to {}",
                                     grain_sectors, limit));
  }
}

std::uint64_t validated_table_count(std::uint64_t capacity_sectors, std::uint64_t table_sectors) {
  const std::uint64_t count = divide_up(capacity_sectors, table_sectors);
  if (capacity_sectors > max_sectors || count > max_directory_entries) {
    throw_corrupt(layer, fmt::format("a capacity of {:#x} sectors needs {} grain tables, at most "
                                     "{} are possible",
                                     capacity_sectors, count, max_directory_entries));
  }
  return count;
}

void validate_identity(const SparseHeader& header) {
  if (header.magic != sparse_magic) {
    throw_corrupt(layer, "the header has no signature");
  }
  if (header.version == 0 || header.version > max_version) {
    throw_unsupported(layer, fmt::format("version {}; 1 to {} are supported",
                                         header.version.value(), max_version));
  }
  if ((header.flags & flag_newline_test) != 0 &&
      header.newline_test != SparseHeader{}.newline_test) {
    throw_corrupt(layer, "the header's line ends were changed, as by a transfer of text");
  }
  if (header.compression > compression_deflate) {
    throw_unsupported(layer, fmt::format("compression algorithm {}", header.compression.value()));
  }
}

// Which of two fields differ, in words; nullptr when they are the same image.
const char* difference(const SparseHeader& a, const SparseHeader& b) noexcept {
  const auto differ = [](auto x, auto y) { return x.value() != y.value(); };
  if (differ(a.version, b.version) || differ(a.flags, b.flags)) {
    return "version or flags";
  }
  if (differ(a.capacity, b.capacity)) {
    return "capacity";
  }
  if (differ(a.grain_size, b.grain_size) || differ(a.table_entries, b.table_entries)) {
    return "geometry of grains";
  }
  if (differ(a.descriptor_offset, b.descriptor_offset) ||
      differ(a.descriptor_size, b.descriptor_size)) {
    return "place of the descriptor";
  }
  return differ(a.compression, b.compression) ? "compression" : nullptr;
}

// The header at the end, which is valid when the one at the front was written before the end was
// known.  Two that do not agree show different readers different disks.
SparseHeader read_footer(const Disk& file, const SparseHeader& header) {
  const std::uint64_t size = round_down(file.size(), sector);
  if (size < sizeof(SparseHeader) + sizeof(Footer)) {
    throw_corrupt(layer, "the file ends before the footer that its header refers to");
  }
  const auto footer = read_object<Footer>(file, size - sizeof(Footer));
  if (footer.header.magic != sparse_magic || footer.marker.size != 0 ||
      footer.marker.type != std::uint32_t(MarkerType::footer) || footer.end.sectors != 0 ||
      footer.end.size != 0 || footer.end.type != std::uint32_t(MarkerType::end_of_stream)) {
    throw_corrupt(layer, fmt::format("no footer at {:#x}, where the header says one is; the file "
                                     "may have been cut",
                                     size - sizeof(Footer)));
  }
  if (const char* const what = difference(header, footer.header); what != nullptr) {
    throw_corrupt(layer, fmt::format("header and footer disagree on the {}", what));
  }
  return footer.header;
}

std::optional<DescriptorPlace> descriptor_of(const SparseHeader& header) {
  if (header.descriptor_offset == 0) {
    return std::nullopt;
  }
  if (header.descriptor_offset > max_sectors || header.descriptor_size > max_sectors) {
    throw_corrupt(layer,
                  fmt::format("the descriptor at sector {:#x} (+{:#x}) lies beyond any file",
                              header.descriptor_offset.value(), header.descriptor_size.value()));
  }
  return DescriptorPlace{header.descriptor_offset * sector, header.descriptor_size * sector};
}

void validate_tables(const SparseHeader& header) {
  if (header.table_entries == 0 || header.table_entries > max_table_entries) {
    throw_corrupt(layer, fmt::format("grain tables of {} entries, expected 1 to {}",
                                     header.table_entries.value(), max_table_entries));
  }
  validate_grain(header.grain_size, header.compression == compression_deflate
                                        ? max_compressed_grain_sectors
                                        : max_grain_sectors);
}

SparseLayout read_hosted(const Disk& file) {
  auto header = read_structure<SparseHeader>(file, 0, "the header");
  validate_identity(header);
  SparseLayout layout{};
  layout.version = header.version;
  layout.descriptor = descriptor_of(header);
  if (header.capacity == 0 && layout.descriptor) {
    return layout;
  }
  if (header.directory_offset == directory_at_end) {
    header = read_footer(file, header);
    validate_identity(header);
  }
  validate_tables(header);
  layout.capacity = header.capacity * sector;
  layout.grain_size = header.grain_size * sector;
  layout.table_entries = header.table_entries;
  layout.table_count =
      validated_table_count(header.capacity, header.table_entries * header.grain_size);
  layout.directory = validated_directory(header.directory_offset, layout.table_count, file.size(),
                                         "the grain directory");
  if ((header.flags & flag_redundant_directory) != 0) {
    layout.redundant_directory =
        validated_directory(header.redundant_directory_offset, layout.table_count, file.size(),
                            "the redundant grain directory");
  }
  layout.grains_begin = std::min<std::uint64_t>(header.overhead, max_sectors) * sector;
  layout.is_compressed = header.compression == compression_deflate;
  layout.has_markers = (header.flags & flag_markers) != 0;
  layout.has_zeroed_grains = (header.flags & flag_zeroed_grains) != 0;
  layout.is_unclean = header.unclean_shutdown != 0;
  return layout;
}

SparseLayout read_cowd(const Disk& file) {
  const auto header = read_structure<CowdHeader>(file, 0, "the COWD header");
  if (header.version != 1) {
    throw_unsupported(layer, fmt::format("COWD version {}", header.version.value()));
  }
  validate_grain(header.grain_size, max_grain_sectors);
  SparseLayout layout{};
  layout.kind = SparseLayout::Kind::cowd;
  layout.version = header.version;
  layout.capacity = std::uint64_t{header.capacity} * sector;
  layout.grain_size = std::uint64_t{header.grain_size} * sector;
  layout.table_entries = cowd_table_entries;
  layout.table_count =
      validated_table_count(header.capacity, std::uint64_t{cowd_table_entries} * header.grain_size);
  if (header.directory_entries < layout.table_count) {
    throw_corrupt(layer, fmt::format("a grain directory of {} entries, the capacity needs {}",
                                     header.directory_entries.value(), layout.table_count));
  }
  layout.directory = validated_directory(header.directory_offset, layout.table_count, file.size(),
                                         "the grain directory");
  layout.grains_begin = round_up(layout.directory + layout.table_count * sizeof(le32), sector);
  layout.is_unclean = header.unclean_shutdown != 0;
  return layout;
}

}  // namespace

std::uint64_t SparseLayout::grain_count() const noexcept { return divide_up(capacity, grain_size); }

SparseMagic sparse_magic_of(const Disk& file) {
  std::array<char, 4> magic{};
  if (file.size() < sector) {
    return SparseMagic::none;
  }
  file.read(0, std::as_writable_bytes(std::span(magic)));
  if (magic == sparse_magic) {
    return SparseMagic::hosted;
  }
  return magic == cowd_magic ? SparseMagic::cowd : SparseMagic::none;
}

SparseLayout read_sparse_layout(const Disk& file) {
  return sparse_magic_of(file) == SparseMagic::cowd ? read_cowd(file) : read_hosted(file);
}

void write_state(Disk& file, const SparseLayout& layout, WriteState state) {
  if (layout.kind == SparseLayout::Kind::cowd) {
    file.write(offsetof(CowdHeader, unclean_shutdown), bytes_of(le32(std::uint32_t(state))));
  } else {
    file.write(offsetof(SparseHeader, unclean_shutdown), bytes_of(std::uint8_t(state)));
  }
}

}  // namespace vimg::vmdk
