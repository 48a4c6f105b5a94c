#include "sources/zstd_frames.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "disk/cached_disk.h"
#include "disk/checked.h"
#include "disk/error.h"

namespace vimg {
namespace {

constexpr char layer[] = "zstd";
constexpr std::uint32_t frame_magic = 0xfd2fb528;
constexpr std::uint32_t skippable_magic = 0x184d2a50;  // and the 15 that follow
constexpr std::uint32_t skippable_mask = 0xfffffff0;
constexpr std::uint32_t seek_table_magic = 0x184d2a5e;
constexpr std::uint32_t seekable_magic = 0x8f92eab1;
constexpr std::size_t max_frames = 4U << 20;
constexpr std::uint64_t cache_bytes = 64U << 10;
constexpr std::size_t max_frame_header = 18;

struct SkippableHeader {
  le32 magic;
  le32 length;  // bytes that follow
};
static_assert(sizeof(SkippableHeader) == 8 && OnDisk<SkippableHeader>);

// contrib/seekable_format, "Seek_Table_Footer".
struct SeekTableFooter {
  le32 frame_count;
  std::uint8_t descriptor;  // bit 7: each entry has a checksum
  le32 magic;
};
static_assert(sizeof(SeekTableFooter) == 9 && OnDisk<SeekTableFooter>);

struct SeekEntry {
  le32 stored;
  le32 size;
};
static_assert(sizeof(SeekEntry) == 8 && OnDisk<SeekEntry>);

struct FrameHeader {
  std::uint64_t length;  // bytes
  std::optional<std::uint64_t> size;
  bool has_checksum;
};

std::uint64_t little_endian(ConstBytes data) {
  std::uint64_t value = 0;
  for (std::size_t i = data.size(); i > 0; --i) {
    value = value << 8 | std::to_integer<std::uint64_t>(data[i - 1]);
  }
  return value;
}

// RFC 8878 section 3.1.1.1.  What lies beyond the file's end was read as zeros; the blocks that
// should follow are then missed.
FrameHeader read_frame_header(const Disk& file, std::uint64_t place) {
  std::array<std::byte, max_frame_header> data{};
  read_padded(file, place, data);
  const auto descriptor = std::to_integer<unsigned>(data[4]);
  const bool single_segment = (descriptor & 0x20U) != 0;
  constexpr std::array<std::size_t, 4> id_lengths{0, 1, 2, 4};
  constexpr std::array<std::size_t, 4> size_lengths{0, 2, 4, 8};
  const unsigned size_flag = descriptor >> 6;
  const std::size_t size_length = size_flag == 0 && single_segment ? 1 : size_lengths[size_flag];
  const std::size_t size_offset = 5 + (single_segment ? 0U : 1U) + id_lengths[descriptor & 3U];
  FrameHeader header{size_offset + size_length, std::nullopt, (descriptor & 4U) != 0};
  if (size_length > 0) {
    header.size = little_endian(ConstBytes(data).subspan(size_offset, size_length));
  }
  if (size_length == 2) {
    *header.size += 256;
  }
  return header;
}

[[noreturn]] void throw_cut(std::uint64_t place, std::uint64_t file_size) {
  throw_corrupt(
      layer, fmt::format("the frame at {:#x} goes on beyond the file end {:#x}", place, file_size));
}

// Each block takes at least its header's three bytes, so this ends.
ZstdFrame read_frame(const Disk& file, std::uint64_t place) {
  const FrameHeader header = read_frame_header(file, place);
  std::uint64_t at = place + header.length;
  bool is_last = false;
  while (!is_last) {
    std::array<std::byte, 3> raw;
    if (!fits(at, raw.size(), file.size())) {
      throw_cut(place, file.size());
    }
    file.read(at, raw);
    const std::uint64_t block = little_endian(raw);
    is_last = (block & 1) != 0;
    constexpr std::uint64_t run_length_encoded = 1;
    const std::uint64_t length = (block >> 1 & 3) == run_length_encoded ? 1 : block >> 3;
    at += raw.size() + length;
  }
  at += header.has_checksum ? 4 : 0;
  if (at > file.size()) {
    throw_cut(place, file.size());
  }
  return {place, at - place, header.size};
}

bool only_zeros_follow(const Disk& file, std::uint64_t offset) {
  std::array<std::byte, 4096> buffer;
  while (offset < file.size()) {
    const auto part =
        Bytes(buffer).first(std::min<std::uint64_t>(buffer.size(), file.size() - offset));
    file.read(offset, part);
    if (!all_zero(part)) {
      return false;
    }
    offset += part.size();
  }
  return true;
}

// The sizes that a seek table gives to frames that do not say their own.  It is believed only where
// it agrees with the frames, and a frame that is decoded is held against it once more.
void apply_seek_table(const Disk& file, std::uint64_t begin, std::uint64_t end,
                      std::vector<ZstdFrame>& frames) {
  if (end - begin < sizeof(SkippableHeader) + sizeof(SeekTableFooter)) {
    return;
  }
  const auto footer = read_object<SeekTableFooter>(file, end - sizeof(SeekTableFooter));
  const std::uint64_t entry_size = (footer.descriptor & 0x80U) != 0 ? 12 : 8;
  const std::uint64_t table = begin + sizeof(SkippableHeader);
  if (footer.magic != seekable_magic || footer.frame_count != frames.size() ||
      frames.size() * entry_size != end - sizeof(SeekTableFooter) - table) {
    return;
  }
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto entry = read_object<SeekEntry>(file, table + i * entry_size);
    if (entry.stored != frames[i].stored || entry.size != frames[i].size.value_or(entry.size)) {
      throw_corrupt(layer,
                    fmt::format("the seek table says {:#x} bytes of frame {}, which has {:#x}",
                                entry.stored.value(), i, frames[i].stored));
    }
    frames[i].size = entry.size;
  }
}

}  // namespace

// pzstd puts a skippable frame before each one.
bool begins_with_zstd_frame(const Disk& file) {
  SkippableHeader header;
  read_padded(file, 0, writable_bytes_of(header));
  if ((header.magic & skippable_mask) == skippable_magic) {
    const std::uint64_t next = sizeof(header) + std::uint64_t{header.length};
    return fits(next, sizeof(le32), file.size()) && read_object<le32>(file, next) == frame_magic;
  }
  return header.magic == frame_magic;
}

// Each turn goes on by at least a header, so this ends.
std::vector<ZstdFrame> read_zstd_frames(const DiskPtr& uncached) {
  const DiskPtr cached = make_cached_disk(uncached, cache_bytes);
  const Disk& file = *cached;
  std::vector<ZstdFrame> frames;
  std::uint64_t at = 0;
  while (at < file.size()) {
    if (!fits(at, sizeof(SkippableHeader), file.size())) {
      break;
    }
    const auto header = read_object<SkippableHeader>(file, at);
    if (header.magic == frame_magic) {
      if (frames.size() == max_frames) {
        throw_unsupported(layer, fmt::format("more than {} frames", max_frames));
      }
      frames.push_back(read_frame(file, at));
      at += frames.back().stored;
    } else if ((header.magic & skippable_mask) == skippable_magic) {
      const std::uint64_t end = at + sizeof(header) + header.length;
      if (end > file.size()) {
        throw_cut(at, file.size());
      }
      if (header.magic == seek_table_magic) {
        apply_seek_table(file, at, end, frames);
      }
      at = end;
    } else {
      break;
    }
  }
  if (!only_zeros_follow(file, at)) {
    throw_corrupt(layer, fmt::format("what follows the frame that ends at {:#x} is no frame", at));
  }
  return frames;
}

}  // namespace vimg
