// What is asked of a new qcow2 image, checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/create.h"
#include "formats/qcow2_header.h"

namespace vimg::qcow2 {

enum class Preallocation {
  off,
  metadata,  // every cluster has its place, and nothing is in it
  falloc,    // the host has set space aside, too
  full,      // zeros were written
};

// Every field is in its range, and none contradicts another.
struct NewOptions {
  std::uint64_t size = 0;  // bytes, whole sectors
  std::uint32_t version = 3;
  std::uint32_t cluster_bits = 16;
  std::uint32_t refcount_order = 4;
  bool extended_l2 = false;
  bool lazy_refcounts = false;
  Compression compression = Compression::deflate;
  Preallocation preallocation = Preallocation::off;
  std::string backing_file;  // empty: none
  std::string backing_format;

  std::uint64_t cluster_size() const noexcept { return 1ULL << cluster_bits; }
  std::uint64_t l2_entry_size() const noexcept { return extended_l2 ? 16 : 8; }
  std::uint64_t l1_count() const noexcept;
};

// Throws Error(EINVAL) in words for what cannot be.
NewOptions new_options(NewImage image);

// The beginning of the first cluster: header, extensions and the backing file's name.
struct TablePlaces {
  std::uint64_t l1;              // offset
  std::uint64_t refcount_table;  // offset
  std::uint64_t refcount_table_clusters;
};
std::vector<std::byte> header_bytes(const NewOptions& options, const TablePlaces& tables);

}  // namespace vimg::qcow2
