// What lies in an EWF file.  Spec: libewf "Expert Witness Compression Format"
// (libyal/libewf documentation), sections 2 to 4.  All integers are little-endian.
#pragma once

#include <array>
#include <string_view>

#include "disk/endian.h"

namespace vimg::ewf {

constexpr char layer[] = "ewf";

constexpr std::string_view magic_disk("EVF\x09\x0d\x0a\xff\0", 8);
constexpr std::string_view magic_logical("LVF\x09\x0d\x0a\xff\0", 8);
constexpr std::string_view magic_version_2("EVF2\x0d\x0a\x81\0", 8);

struct FileHeader {
  std::array<char, 8> magic;
  std::array<std::byte, 1> fields_begin;
  le16 segment;  // from 1
  le16 fields_end;
};
static_assert(sizeof(FileHeader) == 13 && OnDisk<FileHeader>);

// Sections are linked; the last one, "next" or "done", refers to itself.
struct SectionHeader {
  std::array<char, 16> type;
  le64 next;  // offset of the next section's header
  le64 size;  // bytes, with this header; may be 0
  std::array<std::byte, 40> padding;
  le32 checksum;  // Adler-32 of all before
};
static_assert(sizeof(SectionHeader) == 76 && OnDisk<SectionHeader>);

// The section "volume" or "disk".
struct Volume {
  le32 media_type;
  le32 chunk_count;
  le32 chunk_sectors;
  le32 sector_size;  // bytes
  le64 sectors;      // 32 bits in the SMART variant, whose section has 94 bytes
};
static_assert(sizeof(Volume) == 24 && OnDisk<Volume>);
constexpr std::uint64_t smart_volume_size = 94;

// The section "table": where chunks lie.  An entry's highest bit says that its chunk is compressed.
struct TableHeader {
  le32 entries;
  le32 padding;
  le64 base;
  le32 padding_end;
  le32 checksum;  // Adler-32 of all before
};
static_assert(sizeof(TableHeader) == 24 && OnDisk<TableHeader>);

// The sections "digest" and "hash"; the latter has the MD5 alone.
struct Digest {
  std::array<std::byte, 16> md5;
  std::array<std::byte, 20> sha1;
};
static_assert(sizeof(Digest) == 36 && OnDisk<Digest>);

}  // namespace vimg::ewf
