// Disk: a range of bytes that can be read, and perhaps written, at any offset.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "disk/bytes.h"
#include "disk/endian.h"

namespace vimg {

// One run of bytes that are of one kind.
struct Extent {
  enum class Kind {
    data,  // read it to know
    zero,  // reads as zeros, space is set aside for it
    hole,  // reads as zeros, nothing is stored
  };
  std::uint64_t length;  // bytes; at least 1, unless nothing was asked for
  Kind kind;
  // Where the bytes lie unchanged in a host file, for splice and reflink; fd is -1 when they do
  // not.
  int fd = -1;
  std::uint64_t file_offset = 0;
};

// Everything below a file system is one of these: a host file, a decoded image, a partition, a
// logical volume.  Owned by DiskPtr and shared.
//
// Threads: everything but resize() may be called from several threads at once.  Reads and writes
// that overlap give each byte its old or its new value.  What happened before a returned call is
// seen by every later one.
class Disk {
 public:
  Disk() = default;
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  virtual ~Disk() = default;

  // In bytes; need not be a multiple of sector_size().
  virtual std::uint64_t size() const noexcept = 0;
  // The logical sector in bytes, a power of two: 512 unless something better is known.
  virtual std::uint32_t sector_size() const noexcept { return 512; }
  virtual bool writable() const noexcept { return false; }

  // Fills `out` with the bytes at `offset`.  No short reads.
  // Throws Error(EINVAL) when the range leaves the disk, Error(EIO or EUCLEAN) when it cannot be
  // read.  `out` is unspecified after a throw.
  void read(std::uint64_t offset, Bytes out) const;

  // Throws Error(EROFS) when not writable, Error(EINVAL) when the range leaves the disk, and
  // Error(ENOSPC, EIO …) when it cannot be written; then part of it may have been.
  void write(std::uint64_t offset, ConstBytes data);

  // As write() of `length` zeros, but the disk may note it more cheaply.
  void write_zeros(std::uint64_t offset, std::uint64_t length);

  // The range is no longer needed: it reads as zeros or as it was.  A disk that cannot use the
  // hint ignores it.  Throws as write() does.
  void discard(std::uint64_t offset, std::uint64_t length);

  // Returns when everything written before survives a power cut.  Throws Error(EIO, ENOSPC …).
  void flush();

  // What lies at `offset`: one run, at most `max` bytes, at most to the end of the disk.  It may be
  // shorter than the whole run.  Throws Error(EINVAL) when `offset` > size().
  Extent extent(std::uint64_t offset, std::uint64_t max) const;

  // Makes the disk `size` bytes long; new bytes read as zeros.  Only the files beneath an image
  // format can.  One caller at a time, but reads and writes below both sizes may go on.
  // Throws Error(EOPNOTSUPP) when it cannot be resized, or as write() does.
  void resize(std::uint64_t size);

 protected:
  // do_write() of zeros, for a disk that has no cheaper way to this range.
  void write_zeros_plainly(std::uint64_t offset, std::uint64_t length);

 private:
  // Called with checked, non-empty ranges.
  virtual void do_read(std::uint64_t offset, Bytes out) const = 0;
  virtual void do_write(std::uint64_t offset, ConstBytes data);
  virtual void do_write_zeros(std::uint64_t offset, std::uint64_t length);
  virtual void do_discard(std::uint64_t offset, std::uint64_t length);
  virtual void do_flush();
  virtual Extent do_extent(std::uint64_t offset, std::uint64_t max) const;
  virtual void do_resize(std::uint64_t size);
};

using DiskPtr = std::shared_ptr<Disk>;

// Fills `out` from `offset`; what lies beyond the disk's end reads as zeros.
void read_padded(const Disk& disk, std::uint64_t offset, Bytes out);

// The T at `offset`; throws as Disk::read does.
template <OnDisk T>
T read_object(const Disk& disk, std::uint64_t offset) {
  T object;
  disk.read(offset, writable_bytes_of(object));
  return object;
}

// `count` objects from `offset`.  Throws Error(EUCLEAN, "LAYER: …") before anything is allocated
// when the table is larger than `limit` bytes or leaves the disk.  `what` names the table.
void check_table(const Disk& disk, std::uint64_t offset, std::uint64_t count,
                 std::uint64_t entry_size, std::uint64_t limit, const char* layer,
                 const char* what);

template <OnDisk T>
std::vector<T> read_table(const Disk& disk, std::uint64_t offset, std::uint64_t count,
                          std::uint64_t limit, const char* layer, const char* what) {
  check_table(disk, offset, count, sizeof(T), limit, layer, what);
  std::vector<T> table(count);
  disk.read(offset, std::as_writable_bytes(std::span(table)));
  return table;
}

}  // namespace vimg
