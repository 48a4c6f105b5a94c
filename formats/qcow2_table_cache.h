// TableCache: slices of a qcow2 image's tables in memory, changed there and written back together.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "disk/disk.h"

namespace vimg::qcow2 {

// Slices are known by their offset in the image file.  A table of 2 MiB is held in pieces, so that
// memory stays bounded by `capacity` whatever the cluster size; changed slices are held until they
// have been written, beyond it if need be.
//
// Threads: the owner's lock.  find() may run in several threads at once, anything else alone.
class TableCache {
 public:
  // Both in bytes; `slice_size` is a power of two.
  TableCache(std::uint64_t slice_size, std::uint64_t capacity);

  std::uint64_t slice_size() const noexcept { return slice_size_; }
  // The slice at `offset`; empty when it is not held.
  ConstBytes find(std::uint64_t offset) const noexcept;
  // Holds `content` as the slice at `offset`, unless there is one already.
  void insert(std::uint64_t offset, std::vector<std::byte> content);
  // The slice at `offset`, which is held, to be changed before the next call.
  Bytes change(std::uint64_t offset);
  // Drops what is held of [offset, offset + length), changed or not.
  void forget(std::uint64_t offset, std::uint64_t length);

  std::uint64_t changed_bytes() const noexcept { return changed_count_ * slice_size_; }
  struct Changed {
    std::uint64_t offset;
    ConstBytes content;  // valid until the slice is marked as written
  };
  // Every changed slice, in the order of the offsets.
  std::vector<Changed> changed() const;
  void mark_written(std::span<const Changed> slices);

 private:
  struct Slice {
    std::vector<std::byte> content;
    mutable std::atomic<bool> used = false;  // since the clock came by
    bool is_changed = false;
  };

  void make_room();

  const std::uint64_t slice_size_;
  const std::size_t capacity_;  // slices
  std::uint64_t changed_count_ = 0;
  std::unordered_map<std::uint64_t, Slice> slices_;
  std::vector<std::uint64_t> clock_;  // the offsets of slices_, gone through in turn for victims
  std::size_t hand_ = 0;
};

// Reads the slice of `size` bytes at `offset` of the table that begins at `table`.  A table that
// begins before the file's end may be cut off by it; the rest reads as zeros.
// Throws Error(EUCLEAN) naming `what` when the table begins beyond the end.
std::vector<std::byte> read_slice(const Disk& file, std::uint64_t table, std::uint64_t offset,
                                  std::uint64_t size, const char* what);

}  // namespace vimg::qcow2
