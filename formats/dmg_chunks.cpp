#include "formats/dmg_chunks.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <pugixml.hpp>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg::dmg {
namespace {

constexpr char layer[] = "dmg";
constexpr std::uint64_t sector = 512;
constexpr std::uint64_t max_table_bytes = 64U << 20;  // QEMU's limit
constexpr std::uint64_t max_chunk_bytes = 64U << 20;  // the same
constexpr std::uint64_t max_sectors = std::uint64_t(INT64_MAX) / sector;

// The last 512 bytes.  Spec: "Demystifying the DMG File Format" (newosxbook.com/DMG.html), qemu
// block/dmg.c.  All integers are big-endian.
struct Trailer {
  std::array<char, 4> magic;  // "koly"
  be32 version;
  be32 header_size;
  be32 flags;
  be64 running_data_offset;
  be64 data_offset;
  be64 data_length;
  be64 resource_offset;
  be64 resource_length;
  be32 segment_number;
  be32 segment_count;
  std::array<std::byte, 16> segment_id;
  be32 data_checksum_type;
  be32 data_checksum_size;
  std::array<std::byte, 128> data_checksum;
  be64 list_offset;  // an XML property list
  be64 list_length;
  std::array<std::byte, 120> reserved;
  be32 checksum_type;
  be32 checksum_size;
  std::array<std::byte, 128> checksum;
  be32 variant;
  be64 sectors;
  std::array<std::byte, 12> reserved_end;
};
static_assert(sizeof(Trailer) == 512 && OnDisk<Trailer>);

// A block table: one for each partition.
struct TableHeader {
  std::array<char, 4> magic;  // "mish"
  be32 version;
  be64 first_sector;
  be64 sectors;
  be64 data_offset;
  be32 buffers;
  be32 descriptors;
  std::array<std::byte, 24> reserved;
  std::array<std::byte, 136> checksum;
  be32 chunk_count;
};
static_assert(sizeof(TableHeader) == 204 && OnDisk<TableHeader>);

struct RawChunk {
  be32 type;
  be32 comment;
  be64 sector;  // after the table's first
  be64 sectors;
  be64 offset;  // after the data fork's and the table's
  be64 length;  // bytes
};
static_assert(sizeof(RawChunk) == 40 && OnDisk<RawChunk>);

bool has_magic(const std::array<char, 4>& field, std::string_view magic) noexcept {
  return std::string_view(field.data(), field.size()) == magic;
}

Trailer read_trailer(const Disk& file) {
  if (!has_trailer(file)) {
    throw_corrupt(layer, "the file does not end with a \"koly\" trailer");
  }
  return read_object<Trailer>(file, file.size() - sizeof(Trailer));
}

std::vector<std::byte> read_part(const Disk& file, std::uint64_t offset, std::uint64_t length,
                                 const char* what) {
  check_table(file, offset, length, 1, max_table_bytes, layer, what);
  std::vector<std::byte> content(length);
  file.read(offset, content);
  return content;
}

int value_of_digit(char digit) noexcept {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t value = digits.find(digit);
  return value == std::string_view::npos ? -1 : int(value);
}

// White space is skipped, the rest ends at the first character that is no digit.
std::vector<std::byte> decode_base64(std::string_view text) {
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 4 * 3);
  unsigned bits = 0;
  int bit_count = 0;
  for (const char letter : text) {
    if (std::string_view(" \t\r\n").find(letter) != std::string_view::npos) {
      continue;
    }
    const int value = value_of_digit(letter);
    if (value < 0) {
      break;
    }
    bits = bits << 6 | unsigned(value);
    bit_count += 6;
    if (bit_count >= 8) {
      bit_count -= 8;
      bytes.push_back(std::byte(bits >> bit_count & 0xffU));
    }
  }
  return bytes;
}

// The element that follows the <key> called `name` in a <dict>.
pugi::xml_node value_of(const pugi::xml_node& dictionary, std::string_view name) {
  for (const pugi::xml_node& key : dictionary.children("key")) {
    if (key.child_value() == name) {
      return key.next_sibling();
    }
  }
  return {};
}

// All chunks of one image, as its tables are gone through.
class ChunkList {
 public:
  ChunkList(const Disk& file, const Trailer& trailer) : file_(file), trailer_(trailer) {}

  void add_table(ConstBytes table);
  Image finish() &&;

 private:
  void add(const TableHeader& table, const RawChunk& raw);
  Chunk checked(const TableHeader& table, const RawChunk& raw) const;
  void check_place(const Chunk& chunk) const;

  const Disk& file_;
  const Trailer& trailer_;
  Image image_;
};

void ChunkList::add_table(ConstBytes table) {
  if (table.size() < sizeof(TableHeader)) {
    throw_corrupt(layer, fmt::format("block table of {:#x} bytes", table.size()));
  }
  const auto header = load<TableHeader>(table);
  if (!has_magic(header.magic, "mish")) {
    throw_corrupt(layer, "a block table does not begin with \"mish\"");
  }
  const std::uint64_t count = header.chunk_count;
  if (!fits(sizeof(TableHeader), count * sizeof(RawChunk), table.size())) {
    throw_corrupt(layer, fmt::format("block table of {:#x} bytes is too short for {} chunks",
                                     table.size(), count));
  }
  for (std::uint64_t index = 0; index < count; ++index) {
    add(header, load<RawChunk>(table, sizeof(TableHeader) + index * sizeof(RawChunk)));
  }
}

void ChunkList::add(const TableHeader& table, const RawChunk& raw) {
  const auto type = ChunkType(raw.type.value());
  if (type == ChunkType::comment || type == ChunkType::end || raw.sectors == 0) {
    return;
  }
  const Chunk chunk = checked(table, raw);
  image_.size = std::max(image_.size, chunk.offset + chunk.length);
  if (chunk.is_zero()) {
    return;
  }
  check_place(chunk);
  if (chunk.is_encoded()) {
    image_.decoded_size = std::max(image_.decoded_size, chunk.length);
  }
  image_.chunks.push_back(chunk);
}

Chunk ChunkList::checked(const TableHeader& table, const RawChunk& raw) const {
  const auto first = checked_add(table.first_sector, raw.sector);
  if (!first || !fits(*first, raw.sectors, max_sectors)) {
    throw_corrupt(layer,
                  fmt::format("chunk at sector {:#x} (+{:#x}) lies beyond what a disk can be",
                              raw.sector.value(), raw.sectors.value()));
  }
  const auto fork = checked_add(trailer_.data_offset, table.data_offset);
  const auto place = fork ? checked_add(*fork, raw.offset) : fork;
  if (!place) {
    throw_corrupt(layer, fmt::format("chunk at offset {:#x} of the data", raw.offset.value()));
  }
  return {*first * sector, raw.sectors * sector, *place, raw.length, ChunkType(raw.type.value())};
}

void ChunkList::check_place(const Chunk& chunk) const {
  if (!fits(chunk.place, chunk.stored, file_.size())) {
    throw_corrupt(layer, fmt::format("chunk at {:#x} (+{:#x}) lies beyond the file end {:#x}",
                                     chunk.place, chunk.stored, file_.size()));
  }
  if (chunk.is_encoded() && std::max(chunk.length, chunk.stored) > max_chunk_bytes) {
    throw_corrupt(layer, fmt::format("chunk of {:#x} bytes from {:#x}; at most {:#x} are possible",
                                     chunk.length, chunk.stored, max_chunk_bytes));
  }
  if (chunk.type == ChunkType::raw && chunk.stored < chunk.length) {
    throw_corrupt(layer, fmt::format("chunk of {:#x} bytes lies in {:#x} as it is", chunk.length,
                                     chunk.stored));
  }
}

Image ChunkList::finish() && {
  std::ranges::sort(image_.chunks, {}, &Chunk::offset);
  for (std::size_t index = 1; index < image_.chunks.size(); ++index) {
    const Chunk& before = image_.chunks[index - 1];
    if (before.offset + before.length > image_.chunks[index].offset) {
      throw_corrupt(
          layer, fmt::format("chunks overlap at {:#x} of the disk", image_.chunks[index].offset));
    }
  }
  if (trailer_.sectors <= max_sectors) {
    image_.size = std::max(image_.size, trailer_.sectors * sector);
  }
  return std::move(image_);
}

// plist/dict/resource-fork/dict/blkx/array of dict/Data.
void add_from_list(ChunkList& chunks, const std::vector<std::byte>& list) {
  pugi::xml_document document;
  const pugi::xml_parse_result result =
      document.load_buffer(list.data(), list.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!result) {
    throw_corrupt(layer, fmt::format("property list: {} at its byte {:#x}", result.description(),
                                     std::uint64_t(result.offset)));
  }
  const pugi::xml_node tables =
      value_of(value_of(document.child("plist").child("dict"), "resource-fork"), "blkx");
  for (const pugi::xml_node& entry : tables.children("dict")) {
    chunks.add_table(decode_base64(value_of(entry, "Data").child_value()));
  }
}

// An old image has the tables in the data area of a resource fork: each its length and itself.
// Every turn takes at least four bytes, so this ends.
void add_from_resources(ChunkList& chunks, ConstBytes fork) {
  struct ForkHeader {
    be32 data_offset;
    be32 map_offset;
    be32 data_length;
    be32 map_length;
  };
  static_assert(sizeof(ForkHeader) == 16 && OnDisk<ForkHeader>);
  if (fork.size() < sizeof(ForkHeader)) {
    throw_corrupt(layer, "the resource fork is too short");
  }
  const auto header = load<ForkHeader>(fork);
  if (!fits(header.data_offset, header.data_length, fork.size())) {
    throw_corrupt(layer, "the data of the resource fork lies beyond its end");
  }
  ConstBytes data = fork.subspan(header.data_offset, header.data_length);
  while (data.size() >= sizeof(be32)) {
    const std::uint32_t length = load<be32>(data);
    data = data.subspan(sizeof(be32));
    if (length > data.size()) {
      throw_corrupt(layer, fmt::format("resource of {:#x} bytes is longer than the rest", length));
    }
    const ConstBytes resource = data.first(length);
    if (text_of(resource).starts_with("mish")) {
      chunks.add_table(resource);
    }
    data = data.subspan(length);
  }
}

}  // namespace

bool has_trailer(const Disk& file) {
  if (file.size() < sizeof(Trailer)) {
    return false;
  }
  const auto trailer = read_object<Trailer>(file, file.size() - sizeof(Trailer));
  return has_magic(trailer.magic, "koly") && trailer.header_size == sizeof(Trailer);
}

Image read_image(const Disk& file) {
  const Trailer trailer = read_trailer(file);
  if (trailer.segment_count > 1) {
    throw_unsupported(layer, fmt::format("the image has {} segments; only one file can be read",
                                         trailer.segment_count.value()));
  }
  ChunkList chunks(file, trailer);
  if (trailer.list_length > 0) {
    add_from_list(chunks,
                  read_part(file, trailer.list_offset, trailer.list_length, "property list"));
  } else {
    add_from_resources(
        chunks, read_part(file, trailer.resource_offset, trailer.resource_length, "resource fork"));
  }
  return std::move(chunks).finish();
}

}  // namespace vimg::dmg
