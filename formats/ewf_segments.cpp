#include "formats/ewf_segments.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <libdeflate.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/escape.h"

namespace vimg::ewf {
namespace {

constexpr std::uint64_t max_chunk_size = 64U << 20;
constexpr std::uint64_t max_segments = 14971;  // E01 to ZZZ

std::string_view type_of(const SectionHeader& section) noexcept {
  const std::string_view text(section.type.data(), section.type.size());
  return text.substr(0, text.find('\0'));
}

std::uint32_t adler32(ConstBytes data) noexcept {
  return libdeflate_adler32(1, data.data(), data.size());
}

void check_file_header(const Disk& file, std::size_t number) {
  const auto header = read_object<FileHeader>(file, 0);
  const std::string_view magic(header.magic.data(), header.magic.size());
  if (magic == magic_logical || magic == magic_version_2) {
    throw_unsupported(layer, magic == magic_logical ? "logical evidence files hold no disk"
                                                    : "version 2 (Ex01) cannot be read");
  }
  if (magic != magic_disk) {
    throw_corrupt(layer, fmt::format("segment {} does not begin with \"EVF\"", number));
  }
  if (header.segment != number) {
    throw_corrupt(
        layer, fmt::format("the file is segment {}, expected {}", header.segment.value(), number));
  }
}

SectionHeader read_section(const Disk& file, std::uint64_t offset) {
  if (!fits(offset, sizeof(SectionHeader), file.size())) {
    throw_corrupt(
        layer, fmt::format("section at {:#x} lies beyond the file end {:#x}", offset, file.size()));
  }
  const auto section = read_object<SectionHeader>(file, offset);
  const std::uint32_t sum = adler32(bytes_of(section).first(sizeof(section) - sizeof(le32)));
  if (sum != section.checksum) {
    throw_corrupt(layer, fmt::format("section at {:#x} has checksum {:#x}, expected {:#x}", offset,
                                     section.checksum.value(), sum));
  }
  return section;
}

// Goes through the sections of all segments in turn.
class Reader {
 public:
  enum class End { next, done };

  // One segment, whose number counts from 1.
  End add(const DiskPtr& file, std::size_t number);
  Image finish() &&;

 private:
  void add_section(const Disk& file, std::uint64_t offset, std::uint64_t size,
                   std::string_view type);
  void read_volume(const Disk& file, std::uint64_t offset, std::uint64_t size);
  void read_table(const Disk& file, std::uint64_t offset, std::string_view type);
  void read_digest(const Disk& file, std::uint64_t offset, std::string_view type);

  Image image_;
  bool table_failed_ = false;  // its copy, "table2", follows
};

// Sections must lie further on each time, so a segment ends after at most its size / 76 steps.
Reader::End Reader::add(const DiskPtr& file, std::size_t number) {
  check_file_header(*file, number);
  image_.segments.push_back(file);
  std::uint64_t offset = sizeof(FileHeader);
  for (;;) {
    const SectionHeader section = read_section(*file, offset);
    const std::string_view type = type_of(section);
    if (type == "done" || type == "next") {
      return type == "done" ? End::done : End::next;
    }
    if (section.next < offset + sizeof(SectionHeader)) {
      throw_corrupt(layer, fmt::format("section at {:#x} is followed by one at {:#x}", offset,
                                       section.next.value()));
    }
    add_section(*file, offset + sizeof(SectionHeader),
                section.next - offset - sizeof(SectionHeader), type);
    offset = section.next;
  }
}

void Reader::add_section(const Disk& file, std::uint64_t offset, std::uint64_t size,
                         std::string_view type) {
  if (type == "volume" || type == "disk") {
    read_volume(file, offset, size);
  } else if (type == "table" || type == "table2") {
    read_table(file, offset, type);
  } else if (type == "digest" || type == "hash") {
    read_digest(file, offset, type);
  }
}

void Reader::read_volume(const Disk& file, std::uint64_t offset, std::uint64_t size) {
  const auto volume = read_object<Volume>(file, offset);
  const std::uint64_t sectors =
      size == smart_volume_size ? volume.sectors & 0xffffffff : volume.sectors.value();
  const auto chunk_size =
      checked_mul(std::uint64_t{volume.chunk_sectors}, std::uint64_t{volume.sector_size});
  const auto disk_size = checked_mul(sectors, std::uint64_t{volume.sector_size});
  if (!chunk_size || *chunk_size == 0 || *chunk_size > max_chunk_size) {
    throw_corrupt(layer, fmt::format("chunks of {} sectors of {} bytes; at most {:#x} bytes are "
                                     "possible",
                                     volume.chunk_sectors.value(), volume.sector_size.value(),
                                     max_chunk_size));
  }
  if (!disk_size || *disk_size > std::uint64_t(INT64_MAX)) {
    throw_corrupt(layer, fmt::format("a disk of {:#x} sectors", sectors));
  }
  image_.size = *disk_size;
  image_.chunk_size = *chunk_size;
  image_.sector_size = volume.sector_size;
}

void Reader::read_table(const Disk& file, std::uint64_t offset, std::string_view type) {
  if (type == "table2" && !table_failed_) {
    return;
  }
  const auto header = read_object<TableHeader>(file, offset);
  const std::uint32_t sum = adler32(bytes_of(header).first(sizeof(header) - sizeof(le32)));
  const std::uint64_t entries = offset + sizeof(TableHeader);
  const bool is_sound = sum == header.checksum &&
                        fits(entries, std::uint64_t{header.entries} * sizeof(le32), file.size());
  table_failed_ = !is_sound && type == "table";
  if (table_failed_) {
    return;
  }
  if (!is_sound) {
    throw_corrupt(layer, fmt::format("both copies of the table before {:#x} are broken", offset));
  }
  image_.tables.push_back(
      {image_.chunk_count, header.entries, image_.segments.size() - 1, header.base, entries});
  image_.chunk_count += header.entries;
}

void Reader::read_digest(const Disk& file, std::uint64_t offset, std::string_view type) {
  const auto digest = read_object<Digest>(file, offset);
  image_.md5 = digest.md5;
  if (type == "digest") {
    image_.sha1 = digest.sha1;
  }
}

Image Reader::finish() && {
  if (image_.chunk_size == 0) {
    throw_corrupt(layer, "there is no volume section");
  }
  if (table_failed_) {
    throw_corrupt(layer, "the last table is broken and has no copy");
  }
  return std::move(image_);
}

bool is_letter(char c) noexcept { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// The letters of an extension counted up as a number of 26 digits; false after ZZZ.
bool count_up(std::string& name, std::size_t first) {
  for (std::size_t at = name.size(); at > first; --at) {
    char& letter = name[at - 1];
    if ((letter | 0x20) != 'z') {
      ++letter;
      return true;
    }
    letter = char(letter - 25);
  }
  return false;
}

}  // namespace

std::optional<std::string> next_segment_name(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string::npos || name.size() - dot != 4 || !is_letter(name[dot + 1])) {
    return std::nullopt;
  }
  std::string next = name;
  const std::string_view number = std::string_view(name).substr(dot + 2);
  if (is_digit(number[0]) && is_digit(number[1])) {
    const int value = (number[0] - '0') * 10 + (number[1] - '0') + 1;
    const char a = char('A' | (name[dot + 1] & 0x20));
    next.replace(dot + 2, 2, value == 100 ? std::string(2, a) : fmt::format("{:02}", value));
    return next;
  }
  if (!is_letter(number[0]) || !is_letter(number[1]) || !count_up(next, dot + 1)) {
    return std::nullopt;
  }
  return next;
}

Image read_first(const Disk& file) {
  check_file_header(file, 1);
  // The reader keeps the segments that it is given no longer than this call.
  Reader reader;
  reader.add(DiskPtr(const_cast<Disk*>(&file), [](Disk*) {}), 1);
  Image image = std::move(reader).finish();
  image.segments.clear();
  return image;
}

Image read_all(DiskPtr file, OpenContext& context) {
  Reader reader;
  std::string name = context.file_name();
  Reader::End end = reader.add(file, 1);
  for (std::size_t number = 2; end == Reader::End::next; ++number) {
    const std::optional<std::string> next = next_segment_name(name);
    if (!next || number > max_segments) {
      throw_corrupt(layer, fmt::format("segment {} follows {}, which is not named as one is "
                                       "(image.E01)",
                                       number, in_quotes(name)));
    }
    name = *next;
    end = reader.add(within(fmt::format("{}: segment {}", layer, number),
                            [&] { return context.open_file(name); }),
                     number);
  }
  Image image = std::move(reader).finish();
  if (image.chunk_count < divide_up(image.size, image.chunk_size)) {
    throw_corrupt(layer, fmt::format("the tables have {} chunks, {} are needed", image.chunk_count,
                                     divide_up(image.size, image.chunk_size)));
  }
  return image;
}

}  // namespace vimg::ewf
