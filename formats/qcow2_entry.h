// qcow2 L2 entries: what one says of its cluster.
#pragma once

#include <cstdint>

#include "formats/qcow2_header.h"

namespace vimg::qcow2 {

// One run of guest bytes that are stored in one way.
struct Mapping {
  enum class Kind : std::uint8_t {
    unallocated,  // reads as the backing file
    zero,
    data,        // at host_offset, as it is
    compressed,  // one cluster, whose compressed form begins at host_offset
  };
  Kind kind = Kind::unallocated;
  bool copied = false;            // data: nothing else refers to it, so it may be written in place
  std::uint64_t length = 0;       // guest bytes
  std::uint64_t host_offset = 0;  // data: of the run's first byte
  std::uint64_t stored_length = 0;  // compressed: bytes at most, at host_offset
};

// An L2 entry in host byte order; `bitmap` is 0 without extended L2 entries.
struct Entry {
  std::uint64_t word = 0;
  std::uint64_t bitmap = 0;

  bool operator==(const Entry&) const = default;
  bool compressed() const noexcept { return (word & entry_compressed) != 0; }
  bool copied() const noexcept { return (word & entry_copied) != 0; }
  // Of a standard cluster; 0 means that there is none, but with an external data file.
  std::uint64_t host_offset() const noexcept { return word & offset_mask; }
};

// Where a compressed cluster lies in the image file; not validated.
struct CompressedPlace {
  std::uint64_t offset;
  std::uint64_t length;  // bytes at most
};

// How an image cuts its disk into clusters and its tables into entries and slices.
class Geometry {
 public:
  explicit Geometry(const Header& header) noexcept;

  std::uint32_t cluster_bits() const noexcept { return cluster_bits_; }
  std::uint64_t cluster_size() const noexcept { return 1ULL << cluster_bits_; }
  // The smallest piece that an entry tells of: a cluster or a subcluster.
  std::uint64_t unit_size() const noexcept { return 1ULL << unit_bits_; }
  bool extended() const noexcept { return extended_; }
  bool external_data() const noexcept { return external_data_; }
  std::uint32_t version() const noexcept { return version_; }
  std::uint64_t entry_size() const noexcept { return extended_ ? 16 : 8; }
  std::uint32_t l2_span_bits() const noexcept { return l2_span_bits_; }
  // Bytes of an L2 or refcount table that are read at a time.
  std::uint64_t slice_size() const noexcept { return slice_size_; }
  std::uint64_t entries_per_slice() const noexcept { return slice_size_ / entry_size(); }
  // Guest bytes that one slice of an L2 table maps.
  std::uint64_t slice_span() const noexcept { return entries_per_slice() << cluster_bits_; }

  // True when the entry has a host cluster of its own, be it read from or only set aside.
  bool has_host_cluster(const Entry& entry) const noexcept;

  // Of an entry that is compressed().
  CompressedPlace compressed_place(const Entry& entry) const noexcept;

  // What `entry`, that of guest offset `offset`, says from `offset` to the end of its unit.
  // Throws Error(EUCLEAN) when it says what cannot be.
  Mapping unit(const Entry& entry, std::uint64_t offset) const;

 private:
  Mapping compressed(const Entry& entry, std::uint64_t offset) const;
  Mapping standard(const Entry& entry, std::uint64_t offset) const;
  Mapping::Kind plain_kind(const Entry& entry, std::uint64_t offset) const;
  Mapping::Kind subcluster_kind(const Entry& entry, std::uint64_t offset) const;

  std::uint32_t version_;
  std::uint32_t cluster_bits_;
  std::uint32_t unit_bits_;
  std::uint32_t l2_span_bits_;
  bool extended_;
  bool external_data_;
  std::uint64_t slice_size_;
};

}  // namespace vimg::qcow2
