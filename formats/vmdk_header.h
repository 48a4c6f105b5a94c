// The header of a VMDK sparse extent, of either kind, as what it says.
#pragma once

#include <cstdint>
#include <optional>

#include "disk/disk.h"
#include "formats/vmdk_descriptor.h"

namespace vimg::vmdk {

// A sparse extent that was validated.  All in bytes.
struct SparseLayout {
  enum class Kind { hosted, cowd };
  Kind kind;
  std::uint32_t version;
  std::uint64_t capacity;
  std::uint64_t grain_size;     // a power of two
  std::uint64_t table_entries;  // per grain table
  std::uint64_t table_count;
  std::uint64_t directory;                           // inside the file, to its end
  std::optional<std::uint64_t> redundant_directory;  // the same
  std::uint64_t grains_begin;                        // nothing but grains, and tables, follows
  std::optional<DescriptorPlace> descriptor;
  bool is_compressed;
  bool has_markers;
  bool has_zeroed_grains;
  bool is_unclean;  // somebody had it open for writing, and did not close it

  std::uint64_t table_bytes() const noexcept { return table_entries * sizeof(le32); }
  std::uint64_t covered_by_table() const noexcept { return table_entries * grain_size; }
  std::uint64_t grain_count() const noexcept;
};

enum class SparseMagic { none, hosted, cowd };
SparseMagic sparse_magic_of(const Disk& file);

// The header of a file that sparse_magic_of() knows.  Where it has no capacity, as it only
// holds a descriptor, nothing but `descriptor` and `version` is set.
// Throws Error(EUCLEAN, EOPNOTSUPP).
SparseLayout read_sparse_layout(const Disk& file);

// Marks the extent as being written, or as closed.
enum class WriteState : std::uint8_t { closed = 0, open = 1 };
void write_state(Disk& file, const SparseLayout& layout, WriteState state);

}  // namespace vimg::vmdk
