// ewf: the Expert Witness format of EnCase, FTK Imager and ewfacquire (E01, S01), read-only.
#include <gcrypt.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <libdeflate.h>

#include "disk/cached_disk.h"
#include "disk/checked.h"
#include "disk/error.h"
#include "formats/block_disk.h"
#include "formats/driver.h"
#include "formats/ewf_segments.h"
#include "formats/inflate.h"

namespace vimg::ewf {
namespace {

constexpr std::uint32_t compressed = 0x80000000;
// A chunk that would be larger compressed is stored as it is, with a checksum.
constexpr std::uint64_t max_growth = 1024;

class EwfMap final : public BlockMap {
 public:
  EwfMap(Image image, std::uint64_t cache_bytes) : image_(std::move(image)) {
    for (const DiskPtr& segment : image_.segments) {
      tables_.push_back(make_cached_disk(segment, cache_bytes / image_.segments.size()));
    }
  }

  const Image& image() const noexcept { return image_; }

  BlockRun find(std::uint64_t offset, std::uint64_t max) const override {
    const std::uint64_t skip = offset % image_.chunk_size;
    return {BlockRun::Kind::encoded, std::min(max, image_.chunk_size - skip),
            offset / image_.chunk_size, skip};
  }
  std::uint64_t decoded_size() const noexcept override { return image_.chunk_size; }

  void decode(std::uint64_t chunk, Bytes out) const override {
    within(fmt::format("{}: chunk {}", layer, chunk), [&] { decode_chunk(chunk, out); });
  }

 private:
  struct Place {
    std::uint64_t offset;
    std::uint64_t length;
    bool is_compressed;
  };

  const Table& table_of(std::uint64_t chunk) const {
    const auto next = std::ranges::upper_bound(image_.tables, chunk, {}, &Table::first_chunk);
    return *std::prev(next);
  }

  std::uint32_t entry(const Table& table, std::uint64_t index) const {
    return read_object<le32>(*tables_[table.segment], table.entries + index * sizeof(le32));
  }

  // Where a chunk ends is where the next one begins, and not said of a table's last one.
  Place place_of(const Table& table, std::uint64_t index) const {
    const std::uint64_t file_size = tables_[table.segment]->size();
    const std::uint32_t raw = entry(table, index);
    const auto offset = checked_add(table.base, raw & ~compressed);
    if (!offset || *offset >= file_size) {
      throw_corrupt("table", fmt::format("it lies at {:#x} after {:#x}, beyond the segment's end "
                                         "{:#x}",
                                         raw & ~compressed, table.base, file_size));
    }
    std::uint64_t length = std::min(image_.chunk_size + max_growth, file_size - *offset);
    if (index + 1 < table.chunks) {
      const std::uint64_t next = entry(table, index + 1) & ~compressed;
      if (next > (raw & ~compressed)) {
        length = std::min(length, next - (raw & ~compressed));
      }
    }
    return {*offset, length, (raw & compressed) != 0};
  }

  std::uint64_t size_of(std::uint64_t chunk) const noexcept {
    return std::min(image_.chunk_size, image_.size - chunk * image_.chunk_size);
  }

  void decode_chunk(std::uint64_t chunk, Bytes out) const {
    const Table& table = table_of(chunk);
    const Place place = place_of(table, chunk - table.first_chunk);
    std::vector<std::byte> stored(place.length);
    image_.segments[table.segment]->read(place.offset, stored);
    if (place.is_compressed) {
      const std::size_t produced = inflate_zlib(stored, out);
      if (produced < size_of(chunk)) {
        throw_corrupt("zlib", fmt::format("{:#x} bytes, expected {:#x}", produced, size_of(chunk)));
      }
      return;
    }
    copy_plain(stored, size_of(chunk), out);
  }

  static void copy_plain(ConstBytes stored, std::uint64_t size, Bytes out) {
    if (stored.size() < size + sizeof(le32)) {
      throw_corrupt("plain",
                    fmt::format("{:#x} bytes, expected {:#x}", stored.size(), size + sizeof(le32)));
    }
    const std::uint32_t expected = load<le32>(stored, size);
    const std::uint32_t sum = libdeflate_adler32(1, stored.data(), size);
    if (sum != expected) {
      throw_corrupt("plain", fmt::format("checksum {:#x}, expected {:#x}", sum, expected));
    }
    std::ranges::copy(stored.first(size), out.begin());
  }

  const Image image_;
  std::vector<DiskPtr> tables_;
};

// MD5 and SHA-1 of a whole disk, as the acquiring program noted them.
class Hashes {
 public:
  Hashes() {
    if (gcry_md_open(&handle_, GCRY_MD_MD5, 0) != 0 || gcry_md_enable(handle_, GCRY_MD_SHA1) != 0) {
      throw_error(EIO, layer, "libgcrypt has no MD5 or SHA-1");
    }
  }
  ~Hashes() { gcry_md_close(handle_); }
  Hashes(const Hashes&) = delete;
  Hashes& operator=(const Hashes&) = delete;

  void add(ConstBytes data) { gcry_md_write(handle_, data.data(), data.size()); }
  template <std::size_t size>
  bool is(int algorithm, const std::array<std::byte, size>& expected) {
    const unsigned char* const found = gcry_md_read(handle_, algorithm);
    return std::ranges::equal(std::as_bytes(std::span(found, size)), expected);
  }

 private:
  gcry_md_hd_t handle_ = nullptr;
};

void compare(Hashes& hashes, const Image& image, CheckReport& report) {
  if (image.md5 && !hashes.is(GCRY_MD_MD5, *image.md5)) {
    report.add_corruption("the MD5 of the disk is not the one noted in the image");
  }
  if (image.sha1 && !hashes.is(GCRY_MD_SHA1, *image.sha1)) {
    report.add_corruption("the SHA-1 of the disk is not the one noted in the image");
  }
}

// Decodes every chunk and holds the content against the hashes in the image.
CheckReport check(DiskPtr file, OpenContext& context, Repair) {
  const EwfMap map(read_all(std::move(file), context), context.cache_bytes());
  const Image& image = map.image();
  CheckReport report;
  report.total_blocks = divide_up(image.size, image.chunk_size);
  report.allocated_blocks = report.total_blocks;
  std::vector<std::byte> chunk(image.chunk_size);
  Hashes hashes;
  for (std::uint64_t index = 0; index < report.total_blocks; ++index) {
    try {
      map.decode(index, chunk);
    } catch (const Error& error) {
      report.add_corruption(error.what());
    }
    const std::uint64_t begin = index * image.chunk_size;
    hashes.add(ConstBytes(chunk).first(std::min(image.chunk_size, image.size - begin)));
  }
  compare(hashes, image, report);
  return report;
}

bool probe(const Disk& file) {
  std::array<std::byte, magic_disk.size()> head{};
  read_padded(file, 0, head);
  const std::string_view text = text_of(head);
  return text == magic_disk || text == magic_logical || text == magic_version_2;
}

DiskPtr open(DiskPtr file, OpenContext& context) {
  if (!context.snapshot().empty()) {
    throw_error(EINVAL, layer, "has no internal snapshots");
  }
  BlockDiskParts parts;
  parts.file = file;
  parts.cache_bytes = context.cache_bytes() / 4 * 3;
  auto map =
      std::make_unique<EwfMap>(read_all(std::move(file), context), context.cache_bytes() / 4);
  parts.size = map->image().size;
  return make_block_disk(std::move(map), std::move(parts));
}

template <std::size_t size>
std::string hex(const std::array<std::byte, size>& bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  }
  return text;
}

ImageInfo info(const Disk& file) {
  const Image image = read_first(file);
  ImageInfo info;
  info.format = "ewf";
  info.virtual_size = image.size;
  info.facts.emplace_back("cluster size", std::to_string(image.chunk_size));
  info.facts.emplace_back("sector size", std::to_string(image.sector_size));
  if (image.md5) {
    info.facts.emplace_back("MD5", hex(*image.md5));
  }
  if (image.sha1) {
    info.facts.emplace_back("SHA-1", hex(*image.sha1));
  }
  return info;
}

}  // namespace
}  // namespace vimg::ewf

namespace vimg {

extern const FormatDriver ewf_driver;
const FormatDriver ewf_driver{"ewf",      "Expert Witness images (E01), read-only",
                              ewf::probe, ewf::open,
                              ewf::info,  nullptr,
                              nullptr,    ewf::check};

}  // namespace vimg
