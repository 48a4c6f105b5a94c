// VHDX: what lies on the disk.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "disk/endian.h"
#include "disk/guid.h"

namespace vimg::vhdx {

constexpr char layer[] = "vhdx";

constexpr std::uint64_t mib = 1U << 20;  // what regions and blocks are aligned to
constexpr std::uint64_t log_sector = 4096;
// The first MiB: the identifier, two headers and two region tables, 64 KiB apart.
constexpr std::uint64_t header_section_size = mib;
constexpr std::array<std::uint64_t, 2> header_offsets{64U << 10, 128U << 10};
constexpr std::array<std::uint64_t, 2> region_table_offsets{192U << 10, 256U << 10};
constexpr std::uint64_t region_table_size = 64U << 10;
constexpr std::uint64_t metadata_table_size = 64U << 10;

constexpr std::uint32_t max_table_entries = 2047;                 // spec, both tables
constexpr std::uint64_t max_disk_size = std::uint64_t{64} << 40;  // spec
constexpr std::uint32_t min_block_size = 1U << 20;                // spec
constexpr std::uint32_t max_block_size = 256U << 20;              // spec
constexpr std::uint64_t max_item_length = 1U << 20;               // spec
constexpr std::uint64_t sectors_per_bitmap = 1U << 23;            // spec: one bit each in 1 MiB
// Twice what the largest disk needs; nothing beyond is ours to follow.
constexpr std::uint64_t max_file_size = 2 * max_disk_size;
// Windows uses 1 MiB, QEMU what it is told.  A longer one is not replayed.
constexpr std::uint64_t max_log_length = 64U << 20;

// Spec: [MS-VHDX] 2.2.1, "File Type Identifier".
struct FileIdentifier {
  std::array<char, 8> signature;  // "vhdxfile"
  std::array<le16, 256> creator;  // UTF-16, free text
};
static_assert(sizeof(FileIdentifier) == 520 && OnDisk<FileIdentifier>);
constexpr std::array<char, 8> file_signature{'v', 'h', 'd', 'x', 'f', 'i', 'l', 'e'};

// Spec: [MS-VHDX] 2.2.2, "Headers".  There are two; of those whose checksum is right, that with the
// larger sequence number counts.
struct Header {
  std::array<char, 4> signature;  // "head"
  le32 checksum;                  // CRC-32C of all 4096 bytes with 0 here
  le64 sequence_number;
  Guid file_write_guid;  // another one each time that the file is opened and changed
  Guid data_write_guid;  // another one when the disk's content changes
  Guid log_guid;         // 0: the log is empty; else that of its valid entries
  le16 log_version;      // 0
  le16 version;          // 1
  le32 log_length;       // bytes, a multiple of 1 MiB
  le64 log_offset;       // bytes, a multiple of 1 MiB
  std::array<std::byte, 4016> reserved;
};
static_assert(sizeof(Header) == 4096 && OnDisk<Header>);
constexpr std::array<char, 4> header_signature{'h', 'e', 'a', 'd'};

// Spec: [MS-VHDX] 2.2.3.1, "Region Table Header".
struct RegionTableHeader {
  std::array<char, 4> signature;  // "regi"
  le32 checksum;                  // CRC-32C of all 64 KiB with 0 here
  le32 entry_count;               // at most 2047
  le32 reserved;
};
static_assert(sizeof(RegionTableHeader) == 16 && OnDisk<RegionTableHeader>);
constexpr std::array<char, 4> region_signature{'r', 'e', 'g', 'i'};

// Spec: [MS-VHDX] 2.2.3.2, "Region Table Entry".
struct RegionTableEntry {
  Guid guid;
  le64 offset;  // bytes, a multiple of 1 MiB
  le32 length;  // bytes, a multiple of 1 MiB
  le32 flags;   // bit 0: who does not know the region must not open the file
};
static_assert(sizeof(RegionTableEntry) == 32 && OnDisk<RegionTableEntry>);
constexpr std::uint32_t region_is_required = 1;

constexpr Guid bat_region{
    0x2dc27766, 0xf623, 0x4200, {0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08}};
constexpr Guid metadata_region{
    0x8b7ca206, 0x4790, 0x4b9a, {0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e}};

// Spec: [MS-VHDX] 2.3.1.1, "Entry Header".
struct LogEntryHeader {
  std::array<char, 4> signature;  // "loge"
  le32 checksum;                  // CRC-32C of the whole entry with 0 here
  le32 length;                    // bytes, a multiple of 4096
  le32 tail;                      // where in the log the sequence begins that ends with this entry
  le64 sequence_number;           // not 0
  le32 descriptor_count;
  le32 reserved;
  Guid log_guid;
  le64 flushed_file_offset;  // the file was at least that long, and on stable storage
  le64 last_file_offset;     // a file of that length holds all structures
};
static_assert(sizeof(LogEntryHeader) == 64 && OnDisk<LogEntryHeader>);
constexpr std::array<char, 4> log_signature{'l', 'o', 'g', 'e'};

// Spec: [MS-VHDX] 2.3.1.2 and 2.3.1.3, "Zero Descriptor" and "Data Descriptor".
struct LogDescriptor {
  std::array<char, 4> signature;      // "zero" or "desc"
  std::array<std::byte, 4> trailing;  // data: the sector's last bytes
  std::array<std::byte, 8> leading;   // data: its first bytes; zero: the length, le64
  le64 file_offset;                   // a multiple of 4096
  le64 sequence_number;               // the entry's
};
static_assert(sizeof(LogDescriptor) == 32 && OnDisk<LogDescriptor>);
constexpr std::array<char, 4> zero_signature{'z', 'e', 'r', 'o'};
constexpr std::array<char, 4> data_signature{'d', 'e', 's', 'c'};

// Spec: [MS-VHDX] 2.3.1.4, "Data Sector".
struct LogDataSector {
  std::array<char, 4> signature;  // "data"
  le32 sequence_high;
  std::array<std::byte, 4084> data;
  le32 sequence_low;
};
static_assert(sizeof(LogDataSector) == log_sector && OnDisk<LogDataSector>);
constexpr std::array<char, 4> sector_signature{'d', 'a', 't', 'a'};

// Spec: [MS-VHDX] 2.5.1, "BAT Entry": bits 0 to 2 are the state, bits 20 to 63 the offset in MiB.
constexpr std::uint64_t entry_state_mask = 7;
constexpr std::uint64_t entry_place_mask = ~(mib - 1);

enum class BlockState : std::uint8_t {
  not_present = 0,  // the parent's content; zeros without a parent
  undefined = 1,
  zero = 2,
  unmapped = 3,       // discarded
  unmapped_v095 = 5,  // what drafts of the format called so; QEMU knows it, too
  fully_present = 6,
  partially_present = 7,  // only in differencing files: the sector bitmap says which sectors
};
constexpr std::uint64_t bitmap_present = 6;

// Spec: [MS-VHDX] 2.6.1.1, "Metadata Table Header".
struct MetadataTableHeader {
  std::array<char, 8> signature;  // "metadata"
  le16 reserved;
  le16 entry_count;  // at most 2047
  std::array<le32, 5> reserved2;
};
static_assert(sizeof(MetadataTableHeader) == 32 && OnDisk<MetadataTableHeader>);
constexpr std::array<char, 8> metadata_signature{'m', 'e', 't', 'a', 'd', 'a', 't', 'a'};

// Spec: [MS-VHDX] 2.6.1.2, "Metadata Table Entry".
struct MetadataTableEntry {
  Guid guid;
  le32 offset;  // bytes from the region's beginning, at least 64 KiB
  le32 length;  // bytes, at most 1 MiB
  le32 flags;
  le32 reserved;
};
static_assert(sizeof(MetadataTableEntry) == 32 && OnDisk<MetadataTableEntry>);
constexpr std::uint32_t item_is_user = 1;
constexpr std::uint32_t item_is_virtual_disk = 2;
constexpr std::uint32_t item_is_required = 4;

// Spec: [MS-VHDX] 2.6.2, "Known Metadata Items".
constexpr Guid file_parameters_item{
    0xcaa16737, 0xfa36, 0x4d43, {0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b}};
constexpr Guid disk_size_item{
    0x2fa54224, 0xcd1b, 0x4876, {0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8}};
constexpr Guid disk_id_item{
    0xbeca12ab, 0xb2e6, 0x4523, {0x93, 0xef, 0xc3, 0x09, 0xe0, 0x00, 0xc7, 0x46}};
constexpr Guid logical_sector_item{
    0x8141bf1d, 0xa96f, 0x4709, {0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f}};
constexpr Guid physical_sector_item{
    0xcda348c7, 0x445d, 0x4471, {0x9c, 0xc9, 0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56}};
constexpr Guid parent_locator_item{
    0xa8d35f2d, 0xb30b, 0x454d, {0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c}};

// Spec: [MS-VHDX] 2.6.2.1, "File Parameters".
struct FileParameters {
  le32 block_size;  // bytes, a power of two from 1 to 256 MiB
  le32 flags;
};
static_assert(sizeof(FileParameters) == 8 && OnDisk<FileParameters>);
constexpr std::uint32_t leave_block_allocated = 1;  // a fixed image
constexpr std::uint32_t has_parent = 2;

// Spec: [MS-VHDX] 2.6.2.6.1, "Parent Locator Header".
struct ParentLocatorHeader {
  Guid type;
  le16 reserved;
  le16 entry_count;
};
static_assert(sizeof(ParentLocatorHeader) == 20 && OnDisk<ParentLocatorHeader>);
constexpr Guid vhdx_parent_type{
    0xb04aefb7, 0xd19e, 0x4a81, {0xb7, 0x89, 0x25, 0xb8, 0xe9, 0x44, 0x59, 0x13}};

// Spec: [MS-VHDX] 2.6.2.6.2, "Parent Locator Entry".  Offsets are in bytes from the header;
// keys and values are UTF-16 without a zero at their end.
struct ParentLocatorEntry {
  le32 key_offset;
  le32 value_offset;
  le16 key_length;    // bytes
  le16 value_length;  // bytes
};
static_assert(sizeof(ParentLocatorEntry) == 12 && OnDisk<ParentLocatorEntry>);

}  // namespace vimg::vhdx
