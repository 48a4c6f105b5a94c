// qcow2's layout on disk: the header, the bits of table entries, and the limits that bound them.
#pragma once

#include <array>
#include <cstdint>

#include "disk/endian.h"

namespace vimg::qcow2 {

inline constexpr char layer[] = "qcow2";
inline constexpr std::array<char, 4> magic{'Q', 'F', 'I', '\xfb'};

// Spec: qemu docs/interop/qcow2.rst, "Header".  Offsets and lengths are in bytes.
struct RawHeader {
  std::array<char, 4> magic;
  be32 version;         // 2 or 3
  be64 backing_offset;  // 0 = none
  be32 backing_length;  // no terminating NUL
  be32 cluster_bits;    // log2 of the cluster size
  be64 size;            // of the virtual disk
  be32 crypt_method;    // 0 none, 1 AES, 2 LUKS
  be32 l1_count;        // entries
  be64 l1_offset;
  be64 refcount_table_offset;
  be32 refcount_table_clusters;
  be32 snapshot_count;
  be64 snapshots_offset;
  // Version 2 ends here, at 72 bytes.
  be64 incompatible_features;
  be64 compatible_features;
  be64 autoclear_features;
  be32 refcount_order;  // log2 of the bits of one refcount
  be32 header_length;   // at least 104
  // Present when header_length says so.
  std::uint8_t compression_type;  // 0 deflate, 1 zstd
  std::array<std::uint8_t, 7> padding;
};
static_assert(sizeof(RawHeader) == 112 && OnDisk<RawHeader>);

inline constexpr std::uint32_t header_length_v2 = 72;
inline constexpr std::uint32_t header_length_v3 = 104;  // the least

// Where the fields lie that are changed in place.
inline constexpr std::uint64_t refcount_table_field = 48;  // offset and, after it, cluster count
inline constexpr std::uint64_t incompatible_field = 72;
inline constexpr std::uint64_t autoclear_field = 88;

inline constexpr std::uint64_t incompatible_dirty = 1U << 0;
inline constexpr std::uint64_t incompatible_corrupt = 1U << 1;
inline constexpr std::uint64_t incompatible_data_file = 1U << 2;
inline constexpr std::uint64_t incompatible_compression = 1U << 3;
inline constexpr std::uint64_t incompatible_extended_l2 = 1U << 4;
inline constexpr std::uint64_t known_incompatible = 0x1f;
inline constexpr std::uint64_t compatible_lazy_refcounts = 1U << 0;
inline constexpr std::uint64_t autoclear_bitmaps = 1U << 0;
inline constexpr std::uint64_t autoclear_raw_data = 1U << 1;

enum class ExtensionType : std::uint32_t {
  end = 0,
  backing_format = 0xe2792aca,
  feature_names = 0x6803f857,
  bitmaps = 0x23852875,
  encryption = 0x0537be77,
  data_file = 0x44415441,
};

// Spec: "Header extensions".
struct ExtensionHeader {
  be32 type;
  be32 length;  // of the data that follows, before padding to 8 bytes
};
static_assert(sizeof(ExtensionHeader) == 8 && OnDisk<ExtensionHeader>);

// Spec: "Cluster mapping".
inline constexpr std::uint64_t offset_mask = 0x00fffffffffffe00;  // of L1, L2 and bitmap entries
inline constexpr std::uint64_t entry_copied = 1ULL << 63;         // the refcount is exactly one
inline constexpr std::uint64_t entry_compressed = 1ULL << 62;
inline constexpr std::uint64_t entry_zero = 1;
inline constexpr std::uint64_t bitmap_all_allocated = 0x00000000ffffffff;
inline constexpr std::uint64_t bitmap_all_zero = 0xffffffff00000000;
inline constexpr std::uint32_t subclusters = 32;  // in a cluster with an extended L2 entry
inline constexpr std::uint64_t refcount_block_mask = ~std::uint64_t{0x1ff};

inline constexpr std::uint32_t min_cluster_bits = 9;            // spec
inline constexpr std::uint32_t max_cluster_bits = 21;           // QEMU's limit
inline constexpr std::uint32_t min_extended_cluster_bits = 14;  // spec
inline constexpr std::uint32_t max_refcount_order = 6;          // spec
inline constexpr std::uint64_t max_l1_bytes = 32U << 20;        // QEMU's limit
inline constexpr std::uint64_t max_refcount_bytes = 8U << 20;   // QEMU's limit, the table
inline constexpr std::uint64_t max_snapshot_bytes = 64U << 20;  // QEMU's limit, the table
inline constexpr std::uint32_t max_snapshots = 65536;           // QEMU's limit
inline constexpr std::uint32_t max_snapshot_extra = 1024;       // QEMU's limit, bytes each
inline constexpr std::uint32_t max_backing_length = 1023;       // spec
inline constexpr std::uint32_t max_format_length = 15;          // QEMU's limit
inline constexpr std::uint64_t max_host_offset = 1ULL << 56;    // entries hold no more bits
inline constexpr std::uint64_t max_virtual_size = (1ULL << 63) - 1;
inline constexpr std::uint64_t max_bitmaps = 65535;               // QEMU's limit
inline constexpr std::uint64_t max_bitmap_directory = 64U << 20;  // QEMU's limit, bytes

}  // namespace vimg::qcow2
