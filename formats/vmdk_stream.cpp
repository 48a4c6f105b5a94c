#include "formats/vmdk_stream.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <utility>

#include <fmt/format.h>
#include <libdeflate.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg::vmdk {
namespace {

constexpr std::uint64_t grain_bytes = new_grain_sectors * sector;
constexpr std::uint64_t grains_begin = new_grain_sectors * sector;
constexpr std::uint64_t max_file = (std::uint64_t{1} << 32) * sector;  // entries are of 32 bits
constexpr int compression_level = 6;

struct FreeCompressor {
  void operator()(libdeflate_compressor* context) const noexcept {
    libdeflate_free_compressor(context);
  }
};

libdeflate_compressor* compressor() {
  thread_local const std::unique_ptr<libdeflate_compressor, FreeCompressor> context(
      libdeflate_alloc_compressor(compression_level));
  if (!context) {
    throw std::bad_alloc();
  }
  return context.get();
}

class VmdkStream final : public ImageStream {
 public:
  VmdkStream(DiskPtr file, NewDisk disk)
      : file_(std::move(file)), writer_(*file_, std::move(disk)) {}

  std::uint64_t block_size() const noexcept override { return grain_bytes; }
  std::vector<std::byte> encode(ConstBytes block) const override;
  void append(std::uint64_t offset, ConstBytes encoded) override {
    writer_.append(offset / sector, encoded);
  }
  void finish() override { writer_.finish(); }

 private:
  const DiskPtr file_;
  StreamWriter writer_;
};

// The disk's last grain is padded to a whole one, as VMware does.
std::vector<std::byte> VmdkStream::encode(ConstBytes block) const {
  std::vector<std::byte> whole;
  if (block.size() < grain_bytes) {
    whole.assign(block.begin(), block.end());
    whole.resize(grain_bytes);
    block = whole;
  }
  std::vector<std::byte> out(libdeflate_zlib_compress_bound(compressor(), block.size()));
  out.resize(
      libdeflate_zlib_compress(compressor(), block.data(), block.size(), out.data(), out.size()));
  return out;
}

}  // namespace

StreamWriter::StreamWriter(Disk& file, NewDisk disk)
    : file_(file),
      disk_(std::move(disk)),
      end_(grains_begin),
      table_(new_table_entries),
      directory_(disk_.table_count()) {
  file_.resize(end_);
}

// Everything begins at a sector.
void StreamWriter::write_sectors(ConstBytes data) {
  const std::uint64_t end = end_ + round_up(data.size(), sector);
  if (end > max_file) {
    throw_error(EFBIG, layer, "the image is as large as it can be");
  }
  file_.resize(end);
  file_.write(end_, data);
  end_ = end;
}

void StreamWriter::write_marker(MarkerType type, std::uint64_t sectors) {
  Marker marker;
  marker.sectors = sectors;
  marker.type = std::uint32_t(type);
  write_sectors(bytes_of(marker));
}

void StreamWriter::append(std::uint64_t first_sector, ConstBytes zlib_stream) {
  const std::uint64_t grain = first_sector / new_grain_sectors;
  if (grain / new_table_entries != table_index_) {
    write_table();
    table_index_ = grain / new_table_entries;
  }
  table_[grain % new_table_entries] = std::uint32_t(end_ / sector);
  table_is_used_ = true;
  std::vector<std::byte> stored(sizeof(GrainMarker) + zlib_stream.size());
  store(Bytes(stored), 0, GrainMarker{first_sector, std::uint32_t(zlib_stream.size())});
  std::ranges::copy(zlib_stream, stored.begin() + sizeof(GrainMarker));
  write_sectors(stored);
}

// A table without grains is left out.
void StreamWriter::write_table() {
  if (!table_is_used_) {
    return;
  }
  const ConstBytes table = std::as_bytes(std::span(table_));
  write_marker(MarkerType::grain_table, table.size() / sector);
  directory_[table_index_] = std::uint32_t(end_ / sector);
  write_sectors(table);
  std::ranges::fill(table_, le32(0));
  table_is_used_ = false;
}

void StreamWriter::finish() {
  write_table();
  const ConstBytes directory = std::as_bytes(std::span(directory_));
  write_marker(MarkerType::grain_directory, divide_up(directory.size(), sector));
  SparseHeader header = header_of(disk_);
  header.overhead = new_grain_sectors;
  header.directory_offset = end_ / sector;
  write_sectors(directory);
  write_marker(MarkerType::footer, 1);
  write_sectors(bytes_of(header));
  write_marker(MarkerType::end_of_stream, 0);
  file_.write(sector, bytes_of(std::string_view(descriptor_of(disk_))));
  file_.flush();
  header.directory_offset = directory_at_end;
  file_.write(0, bytes_of(header));
  file_.flush();
}

std::unique_ptr<ImageStream> begin_stream(DiskPtr file, NewImage image) {
  NewDisk disk = validated(*file, std::move(image));
  if (disk.subformat != NewDisk::Subformat::stream_optimized) {
    return nullptr;
  }
  return std::make_unique<VmdkStream>(std::move(file), std::move(disk));
}

}  // namespace vimg::vmdk
