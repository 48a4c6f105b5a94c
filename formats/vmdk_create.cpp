#include "formats/vmdk_create.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/escape.h"
#include "formats/vmdk_stream.h"

namespace vimg::vmdk {
namespace {

constexpr std::uint64_t max_new_size = std::uint64_t{64} << 40;  // bytes; VMware's limit is near
constexpr std::uint64_t table_sectors = new_table_entries * sizeof(le32) / sector;
constexpr std::array<std::string_view, 4> adapter_types{"ide", "buslogic", "lsilogic", "legacyESX"};

NewDisk::Subformat subformat_of(const std::optional<std::string>& name, bool compress) {
  if (!name) {
    return compress ? NewDisk::Subformat::stream_optimized : NewDisk::Subformat::monolithic_sparse;
  }
  if (*name == "streamOptimized") {
    return NewDisk::Subformat::stream_optimized;
  }
  if (*name != "monolithicSparse") {
    throw_unsupported(layer, fmt::format("new images are monolithicSparse or streamOptimized, not "
                                         "{}",
                                         in_quotes(*name)));
  }
  if (compress) {
    throw_error(EINVAL, layer, "only streamOptimized images are compressed");
  }
  return NewDisk::Subformat::monolithic_sparse;
}

std::string hardware_version_of(CreateOptions& options) {
  const std::optional<std::string> version = options.take("hwversion");
  const bool is_compatible_6 = options.take_flag("compat6", false);
  if (version && is_compatible_6) {
    throw_error(EINVAL, layer, "compat6 and hwversion exclude each other");
  }
  return is_compatible_6 ? "6" : version.value_or("4");
}

// What is put between quotes in the descriptor.
void validate_text(const std::string& text) {
  if (text.size() > 255 || text.find_first_of(std::string_view("\"\r\n\0", 4)) != text.npos) {
    throw_error(EINVAL, layer, fmt::format("{} cannot stand in a descriptor", in_quotes(text)));
  }
}

std::uint32_t new_cid() {
  std::random_device random;
  const std::uint32_t cid = random();
  return cid == 0xffffffff ? 1 : cid;
}

void write_directory(Disk& file, std::uint64_t place_sectors, std::uint64_t tables_sectors,
                     std::uint64_t count) {
  std::vector<le32> directory(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    directory[i] = std::uint32_t(tables_sectors + i * table_sectors);
  }
  file.write(place_sectors * sector, std::as_bytes(std::span(directory)));
}

// Header, descriptor, the copy of the directory and its tables, the directory and its tables,
// grains: as QEMU lays it out.  The header is last, so that a file cut short is no image.
void write_sparse(Disk& file, const NewDisk& disk) {
  const std::uint64_t tables = disk.table_count();
  const std::uint64_t directory_sectors = divide_up(tables * sizeof(le32), sector);
  const std::uint64_t step = directory_sectors + tables * table_sectors;
  SparseHeader header = header_of(disk);
  header.redundant_directory_offset = 1 + new_descriptor_sectors;
  header.directory_offset = header.redundant_directory_offset + step;
  header.overhead = round_up(header.directory_offset + step, new_grain_sectors);
  file.resize(header.overhead * sector);
  file.write(sector, bytes_of(std::string_view(descriptor_of(disk))));
  for (const std::uint64_t place :
       {header.redundant_directory_offset.value(), header.directory_offset.value()}) {
    write_directory(file, place, place + directory_sectors, tables);
  }
  file.flush();
  file.write(0, bytes_of(header));
  file.flush();
}

}  // namespace

std::uint64_t NewDisk::table_count() const noexcept {
  return divide_up(sectors, new_table_entries * new_grain_sectors);
}

NewDisk validated(const Disk& file, NewImage image) {
  if (file.size() != 0) {
    throw_error(EINVAL, layer, "the file for a new image is not empty");
  }
  if (image.size == 0 || image.size > max_new_size) {
    throw_error(
        EINVAL, layer,
        fmt::format("a disk of {:#x} bytes, 1 to {:#x} are possible", image.size, max_new_size));
  }
  if (!image.backing_file.empty()) {
    throw_unsupported(layer, "a new image on a parent: the parent's CID has to be known for it");
  }
  NewDisk disk{};
  disk.subformat = subformat_of(image.options.take("subformat"), image.compress);
  disk.sectors = divide_up(image.size, sector);
  disk.adapter_type = image.options.take("adapter_type").value_or("ide");
  disk.hardware_version = hardware_version_of(image.options);
  disk.tools_version = image.options.take("toolsversion").value_or("2147483647");
  disk.has_zeroed_grains = image.options.take_flag("zeroed_grain", false) &&
                           disk.subformat == NewDisk::Subformat::monolithic_sparse;
  disk.file_name = image.file_name.empty() ? "image.vmdk" : image.file_name;
  image.options.refuse_rest(layer);
  if (std::ranges::find(adapter_types, disk.adapter_type) == adapter_types.end()) {
    throw_error(EINVAL, layer,
                fmt::format("there is no adapter_type {}", in_quotes(disk.adapter_type)));
  }
  for (const std::string& text : {disk.hardware_version, disk.tools_version, disk.file_name}) {
    validate_text(text);
  }
  return disk;
}

SparseHeader header_of(const NewDisk& disk) {
  const bool is_stream = disk.subformat == NewDisk::Subformat::stream_optimized;
  SparseHeader header;
  header.version = is_stream ? 3 : disk.has_zeroed_grains ? 2 : 1;
  header.flags = flag_newline_test |
                 (is_stream ? flag_compressed | flag_markers : flag_redundant_directory) |
                 (disk.has_zeroed_grains ? flag_zeroed_grains : 0);
  header.capacity = disk.sectors;
  header.grain_size = new_grain_sectors;
  header.descriptor_offset = 1;
  header.descriptor_size = new_descriptor_sectors;
  header.table_entries = new_table_entries;
  header.compression = is_stream ? compression_deflate : std::uint16_t{0};
  return header;
}

std::string descriptor_of(const NewDisk& disk) {
  const unsigned heads = disk.adapter_type == "ide" ? 16 : 255;
  constexpr unsigned sectors_per_track = 63;
  std::string text = fmt::format(
      "# Disk DescriptorFile\n"
      "version=1\n"
      "CID={:08x}\n"
      "parentCID=ffffffff\n"
      "createType=\"{}\"\n"
      "\n"
      "# Extent description\n"
      "RW {} SPARSE \"{}\"\n"
      "\n"
      "# The Disk Data Base\n"
      "#DDB\n"
      "\n"
      "ddb.virtualHWVersion = \"{}\"\n"
      "ddb.geometry.cylinders = \"{}\"\n"
      "ddb.geometry.heads = \"{}\"\n"
      "ddb.geometry.sectors = \"{}\"\n"
      "ddb.adapterType = \"{}\"\n"
      "ddb.toolsVersion = \"{}\"\n",
      new_cid(),
      disk.subformat == NewDisk::Subformat::stream_optimized ? "streamOptimized"
                                                             : "monolithicSparse",
      disk.sectors, disk.file_name, disk.hardware_version,
      disk.sectors / (sectors_per_track * heads), heads, sectors_per_track, disk.adapter_type,
      disk.tools_version);
  text.resize(new_descriptor_sectors * sector);
  return text;
}

void create_image(Disk& file, NewImage image) {
  const NewDisk disk = validated(file, std::move(image));
  if (disk.subformat == NewDisk::Subformat::stream_optimized) {
    StreamWriter(file, disk).finish();
  } else {
    write_sparse(file, disk);
  }
}

}  // namespace vimg::vmdk
