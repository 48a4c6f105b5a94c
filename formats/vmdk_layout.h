// VMDK on-disk structures.
#pragma once

#include <array>
#include <cstdint>

#include "disk/bytes.h"
#include "disk/endian.h"

namespace vimg::vmdk {

constexpr char layer[] = "vmdk";
constexpr std::uint64_t sector = 512;
constexpr std::uint64_t max_sectors = (std::uint64_t{1} << 54) - 1;  // bytes fit into 63 bits

constexpr std::array<char, 4> sparse_magic{'K', 'D', 'M', 'V'};
constexpr std::array<char, 4> cowd_magic{'C', 'O', 'W', 'D'};

constexpr std::uint32_t flag_newline_test = 1U << 0;
constexpr std::uint32_t flag_redundant_directory = 1U << 1;
constexpr std::uint32_t flag_zeroed_grains = 1U << 2;  // a table entry of 1 is a grain of zeros
constexpr std::uint32_t flag_compressed = 1U << 16;
constexpr std::uint32_t flag_markers = 1U << 17;

constexpr std::uint16_t compression_deflate = 1;
constexpr std::uint64_t directory_at_end = ~std::uint64_t{0};  // the footer says where
constexpr std::uint32_t zeroed_grain = 1;

// Spec: VMware "Virtual Disk Format 5.0", "Hosted Sparse Extent Header".  Offsets and sizes are in
// sectors.
struct SparseHeader {
  std::array<char, 4> magic = sparse_magic;
  le32 version;            // 1, 2 with zeroed grains, 3 with deflate or block tracking
  le32 flags;              // flag_*
  le64 capacity;           // of the disk, or the part of it that this extent is
  le64 grain_size;         // a power of two
  le64 descriptor_offset;  // 0 = none
  le64 descriptor_size;
  le32 table_entries;  // per grain table
  le64 redundant_directory_offset;
  le64 directory_offset;                                    // or directory_at_end
  le64 overhead;                                            // grains begin here
  std::uint8_t unclean_shutdown = 0;                        // 1 while it is written
  std::array<char, 4> newline_test{'\n', ' ', '\r', '\n'};  // what a transfer as text changes
  le16 compression;                                         // 0 or compression_deflate
  std::array<std::uint8_t, 433> padding{};
};
static_assert(sizeof(SparseHeader) == sector && OnDisk<SparseHeader>);

// Spec: the same, "ESX Server Sparse Extent Header" (COWD); sectors.
struct CowdHeader {
  std::array<char, 4> magic;
  le32 version;  // 1
  le32 flags;    // 3
  le32 capacity;
  le32 grain_size;
  le32 directory_offset;
  le32 directory_entries;
  le32 free_sector;                      // where the next grain goes
  std::array<std::uint8_t, 1616> names;  // geometry or parent, generation, name, description
  le32 unclean_shutdown;
  std::array<std::uint8_t, 396> padding;
};
static_assert(sizeof(CowdHeader) == 4 * sector && OnDisk<CowdHeader>);
constexpr std::uint32_t cowd_table_entries = 4096;

// Spec: the same, "Stream-Optimized Compressed Sparse Extents", "Markers".
enum class MarkerType : std::uint32_t {
  end_of_stream = 0,
  grain_table = 1,
  grain_directory = 2,
  footer = 3
};
struct Marker {
  le64 sectors;  // of what follows
  le32 size;     // 0; else it is a GrainMarker
  le32 type;     // MarkerType
  std::array<std::uint8_t, 496> padding{};
};
static_assert(sizeof(Marker) == sector && OnDisk<Marker>);

struct GrainMarker {
  le64 first_sector;  // on the disk
  le32 size;          // bytes of the zlib stream that follows
};
static_assert(sizeof(GrainMarker) == 12 && OnDisk<GrainMarker>);

// The end of a stream: this and nothing after it.
struct Footer {
  Marker marker;
  SparseHeader header;
  Marker end;
};
static_assert(sizeof(Footer) == 3 * sector && OnDisk<Footer>);

// No document: as qemu block/vmdk.c reads it, "VMDKSESparseConstHeader".  Sectors.
struct SeSparseHeader {
  le64 magic;    // 0xcafebabe
  le64 version;  // 2.1
  le64 capacity;
  le64 grain_size;  // 8
  le64 table_size;  // 64
  le64 flags;
  std::array<le64, 4> reserved;
  le64 volatile_header_offset;
  le64 volatile_header_size;
  le64 journal_header_offset;
  le64 journal_header_size;
  le64 journal_offset;
  le64 journal_size;
  le64 directory_offset;
  le64 directory_size;
  le64 tables_offset;
  le64 tables_size;
  le64 free_bitmap_offset;
  le64 free_bitmap_size;
  le64 backmap_offset;
  le64 backmap_size;
  le64 grains_offset;
  le64 grains_size;
  std::array<std::uint8_t, 304> padding;
};
static_assert(sizeof(SeSparseHeader) == sector && OnDisk<SeSparseHeader>);

struct SeSparseVolatileHeader {
  le64 magic;  // 0xcafecafe
  le64 free_table;
  le64 next_transaction;
  le64 replay_journal;
};
static_assert(sizeof(SeSparseVolatileHeader) == 32 && OnDisk<SeSparseVolatileHeader>);

}  // namespace vimg::vmdk
