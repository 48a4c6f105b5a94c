#include "lvm/metadata_area.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "lvm/checksum.h"
#include "lvm/config_guard.h"

namespace vimg {
namespace {

constexpr char layer[] = "lvm";
constexpr std::string_view magic = " LVM2 x[5A%r0N*>";
constexpr std::uint64_t header_bytes = 512;  // the buffer begins behind it
constexpr std::uint32_t flag_ignored = 1;

// Spec: lvm2 lib/format_text/layout.h, "struct raw_locn".
struct TextLocation {
  le64 offset;  // bytes from the start of the area; 0: none
  le64 size;    // bytes, with the closing NUL
  le32 checksum;
  le32 flags;
};
static_assert(sizeof(TextLocation) == 24 && OnDisk<TextLocation>);

// "struct mda_header", with the committed one of its list of locations.
struct AreaHeader {
  le32 checksum;  // of the sector behind this field
  std::array<char, 16> magic;
  le32 version;
  le64 start;  // of the area, bytes from the start of the disk
  le64 size;   // of the area, bytes
  TextLocation committed;
};
static_assert(sizeof(AreaHeader) == 64 && OnDisk<AreaHeader>);

[[noreturn]] void fail(const PvArea& area, std::string_view what) {
  throw_corrupt(layer, fmt::format("metadata area at {:#x}: {}", area.offset, what));
}

void validate(const AreaHeader& header, const PvArea& area, const Disk& disk) {
  if (std::string_view(header.magic.data(), header.magic.size()) != magic) {
    fail(area, "it has no magic number");
  }
  if (header.version != 1) {
    fail(area, fmt::format("its version is {}, not 1", header.version.value()));
  }
  if (header.start != area.offset) {
    fail(area, fmt::format("it says that it lies at {:#x}", header.start.value()));
  }
  if (header.size <= header_bytes || !fits(header.start, header.size, disk.size())) {
    fail(area, fmt::format("its size {:#x} leaves the disk of {:#x} bytes", header.size.value(),
                           disk.size()));
  }
}

void validate(const TextLocation& text, const AreaHeader& header, const PvArea& area) {
  if (text.size > max_metadata_bytes) {
    fail(area, fmt::format("its text of {} bytes is larger than the limit of {}", text.size.value(),
                           max_metadata_bytes));
  }
  if (text.offset < header_bytes || text.offset >= header.size ||
      text.size > header.size - header_bytes) {
    fail(area, fmt::format("its text at {:#x} (+{:#x}) leaves the area of {:#x} bytes",
                           text.offset.value(), text.size.value(), header.size.value()));
  }
}

AreaHeader read_header(const Disk& disk, const PvArea& area) {
  if (!fits(area.offset, header_bytes, disk.size())) {
    fail(area, fmt::format("it lies beyond the disk's end {:#x}", disk.size()));
  }
  std::array<std::byte, header_bytes> sector;
  disk.read(area.offset, sector);
  const auto header = load<AreaHeader>(sector);
  const auto checksum = lvm_checksum(ConstBytes(sector).subspan(sizeof(header.checksum)));
  if (checksum != header.checksum) {
    fail(area, fmt::format("the header's checksum is {:#x}, not {:#x}", checksum,
                           header.checksum.value()));
  }
  validate(header, area, disk);
  return header;
}

// What does not fit before the area's end goes on behind the header.
std::string read_wrapped(const Disk& disk, const AreaHeader& header) {
  std::string text(header.committed.size, '\0');
  const Bytes bytes = std::as_writable_bytes(std::span(text));
  const std::uint64_t straight =
      std::min<std::uint64_t>(text.size(), header.size - header.committed.offset);
  disk.read(header.start + header.committed.offset, bytes.first(straight));
  disk.read(header.start + header_bytes, bytes.subspan(straight));
  return text;
}

}  // namespace

std::optional<std::string> read_metadata_text(const Disk& disk, const PvArea& area) {
  const AreaHeader header = read_header(disk, area);
  if (header.committed.offset == 0 || header.committed.size == 0 ||
      (header.committed.flags & flag_ignored) != 0) {
    return std::nullopt;
  }
  validate(header.committed, header, area);
  std::string text = read_wrapped(disk, header);
  if (const auto checksum = lvm_checksum(bytes_of(std::string_view(text)));
      checksum != header.committed.checksum) {
    fail(area, fmt::format("the checksum of its text is {:#x}, not {:#x}", checksum,
                           header.committed.checksum.value()));
  }
  text.erase(std::min(text.find_last_not_of('\0') + 1, text.size()));
  return text;
}

}  // namespace vimg
