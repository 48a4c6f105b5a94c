// The VHDX driver on hostile images, which are laid out from a short input: its first byte says
// whether checksums are mended, the second one how many MiB the file has, and then come pieces of
// it, each an offset (le32), a length (le16) and that many bytes.
#include "disk/checked.h"
#include "formats/vhdx_header.h"
#include "formats/vhdx_map.h"
#include "formats/vhdx_replay.h"
#include "fuzz/format_check.h"
#include "fuzz/sparse_disk.h"

namespace vimg {
extern const FormatDriver vhdx_driver;
}

namespace vimg::fuzz {
namespace {

using namespace vhdx;

constexpr std::size_t piece_header = 6;

DiskPtr laid_out(ConstBytes input) {
  DiskPtr image = std::make_shared<SparseDisk>(
      std::min<std::uint64_t>(std::to_integer<std::uint64_t>(input[1]) * mib, max_file));
  for (std::size_t at = 2; fits(at, piece_header, input.size());) {
    const std::uint64_t offset = load<le32>(input, at);
    const std::size_t length =
        std::min<std::size_t>(load<le16>(input, at + 4).value(), input.size() - at - piece_header);
    if (fits(offset, length, image->size())) {
      image->write(offset, input.subspan(at + piece_header, length));
    }
    at += piece_header + length;
  }
  return image;
}

void mend(Disk& image, std::uint64_t offset, std::uint64_t length) {
  if (fits(offset, length, image.size())) {
    std::vector<std::byte> object(length);
    image.read(offset, object);
    image.write(offset + sizeof(le32), bytes_of(le32(checksum_of(object, sizeof(le32)))));
  }
}

// Log entries that go on at the log's beginning keep their checksums.
void mend_log(Disk& image) {
  for (std::uint64_t at = mib; at < 2 * mib && at < image.size(); at += log_sector) {
    const auto header = read_object<LogEntryHeader>(image, at);
    if (header.signature == log_signature) {
      mend(image, at, std::clamp<std::uint64_t>(header.length, sizeof(header), mib));
    }
  }
}

void mend_checksums(Disk& image) {
  for (const std::uint64_t offset : header_offsets) {
    mend(image, offset, sizeof(Header));
  }
  for (const std::uint64_t offset : region_table_offsets) {
    mend(image, offset, region_table_size);
  }
  mend_log(image);
}

// What the driver looks up only once it has the parent.
void look_up(const DiskPtr& file) {
  const Header header = read_current_header(*file).header;
  const DiskPtr replayed = make_replayed(file, header);
  const Layout layout = read_layout(*replayed, header);
  const BlockLookup lookup(layout, replayed, replayed);
  for (std::uint64_t part = 0; part < 16 && layout.disk_size > 0; ++part) {
    std::uint64_t offset = layout.disk_size / 16 * part;
    for (int i = 0; i < 8 && offset < layout.disk_size; ++i) {
      offset += lookup.find(offset, layout.disk_size - offset).length;
    }
  }
}

}  // namespace
}  // namespace vimg::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vimg::fuzz;
  if (size < 2) {
    return 0;
  }
  vimg::DiskPtr image = laid_out(std::as_bytes(std::span(data, std::min(size, max_input))));
  if (data[0] % 2 == 0) {
    mend_checksums(*image);
  }
  tolerate([&] { look_up(image); });
  run_image(vimg::vhdx_driver, std::move(image));
  return 0;
}
