// qcow2 header: what an image says of itself, validated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "disk/disk.h"
#include "formats/qcow2_layout.h"

namespace vimg::qcow2 {

enum class Compression { deflate, zstd };

// A name that the image gives to a feature bit.
struct FeatureName {
  enum class Set : std::uint8_t { incompatible, compatible, autoclear };
  Set set;
  std::uint8_t bit;
  std::string name;
};

// Where the bitmaps extension says that its directory lies; not validated.
struct BitmapDirectory {
  std::uint32_t count;
  std::uint64_t length;  // bytes
  std::uint64_t offset;
};

// The header in host byte order.  Every field is in its range; tables may still lie beyond the
// file's end.
struct Header {
  std::uint32_t version = 0;
  std::uint32_t cluster_bits = 0;
  std::uint32_t refcount_order = 4;
  std::uint32_t header_length = header_length_v2;
  std::uint64_t size = 0;  // bytes
  std::uint32_t crypt_method = 0;
  std::uint32_t l1_count = 0;  // enough for `size`
  std::uint64_t l1_offset = 0;
  std::uint64_t refcount_table_offset = 0;
  std::uint32_t refcount_table_clusters = 0;
  std::uint32_t snapshot_count = 0;
  std::uint64_t snapshots_offset = 0;
  std::uint64_t incompatible = 0;  // no unknown bits
  std::uint64_t compatible = 0;
  std::uint64_t autoclear = 0;
  Compression compression = Compression::deflate;
  std::optional<std::string> backing_file;
  std::optional<std::string> backing_format;
  std::optional<std::string> data_file;
  std::optional<BitmapDirectory> bitmaps;
  bool has_encryption_header = false;

  std::uint64_t cluster_size() const noexcept { return 1ULL << cluster_bits; }
  bool extended_l2() const noexcept { return (incompatible & incompatible_extended_l2) != 0; }
  bool dirty() const noexcept { return (incompatible & incompatible_dirty) != 0; }
  bool corrupt() const noexcept { return (incompatible & incompatible_corrupt) != 0; }
  bool external_data() const noexcept { return (incompatible & incompatible_data_file) != 0; }
  bool raw_data() const noexcept { return (autoclear & autoclear_raw_data) != 0; }
  bool lazy_refcounts() const noexcept { return (compatible & compatible_lazy_refcounts) != 0; }
  // Bytes of the virtual disk that one L2 table maps, as log2.
  std::uint32_t l2_span_bits() const noexcept {
    return 2 * cluster_bits - (extended_l2() ? 4U : 3U);
  }
};

// True when `file` begins with the magic of a version that this driver reads.
bool has_magic(const Disk& file);

// Reads and validates the header and its extensions.  Throws Error(EUCLEAN) for what cannot be,
// Error(EOPNOTSUPP) for an unknown version or unknown incompatible feature bits, by their names.
Header read_header(const Disk& file);

// Throws Error(EOPNOTSUPP) when the content is encrypted.
void refuse_encryption(const Header& header);

// Fills in what the extensions in [header.header_length, end) say; gives the feature names.
std::vector<FeatureName> read_extensions(const Disk& file, std::uint64_t end, Header& header);

}  // namespace vimg::qcow2
