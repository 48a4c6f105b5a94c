// BlockDisk: the disk of an image that maps ranges of the disk to places in its file.
//
// A driver says where bytes lie; this moves them: it reads, decodes ahead, falls through to the
// backing image, answers extent(), and allocates when it writes.
#pragma once

#include <cstdint>
#include <memory>

#include "disk/disk.h"
#include "formats/driver.h"

namespace vimg {

// A run of bytes of the disk that are of one kind.
struct BlockRun {
  enum class Kind {
    data,     // in the file from `place`
    encoded,  // in the encoded block `place`, `skip` bytes from its beginning once it is decoded
    zero,     // reads as zeros whatever the backing image holds
    unmapped  // reads as the backing image, as zeros without one
  };
  Kind kind;
  std::uint64_t length;     // bytes, at least 1
  std::uint64_t place = 0;  // data: offset in the file; encoded: a number for the block
  std::uint64_t skip = 0;   // encoded only
};

// Where things are.  All members may be called from any thread.
class BlockMap {
 public:
  virtual ~BlockMap() = default;

  // What lies at `offset`, which lies on the disk: one run, at most `max` bytes, `max` > 0.
  // Throws Error(EUCLEAN) when the map is broken there.
  virtual BlockRun find(std::uint64_t offset, std::uint64_t max) const = 0;
  // Bytes of the largest encoded block once it is decoded; 0 when nothing is encoded.
  virtual std::uint64_t decoded_size() const noexcept { return 0; }
  // Decodes block `place` of a run into `out`, which is decoded_size() long.
  virtual void decode(std::uint64_t place, Bytes out) const;
};

// A map that can be changed.  Places never move and are not given back while the image is open, so
// that data is read and written outside any lock.
class WritableBlockMap : public BlockMap {
 public:
  // Bytes that are allocated at once, a power of two.
  virtual std::uint64_t block_size() const noexcept = 0;

  // Called by any thread before `length` bytes at `offset` are written where find() has data: for
  // formats that also mark what was written.
  virtual void mark_written(std::uint64_t offset, std::uint64_t length);

  // Those below are called by one thread at a time, beside find() and mark_written() in others.

  // Called once before anything is changed: here an image is marked as being written.
  virtual void begin() {}
  // A place for the block at `offset`, a multiple of block_size(): its offset in the file, which
  // reads as zeros for block_size() bytes (the last block: to the disk's end) or which holds
  // already what find() calls data of this block.  find() does not show it yet.
  virtual std::uint64_t allocate(std::uint64_t offset) = 0;
  // The whole block at `offset` lies at `place` from now on.  What is there was written before.
  virtual void publish(std::uint64_t offset, std::uint64_t place) = 0;
  // The block at `offset`, which is unmapped to the whole of it, reads as zeros from now on
  // whatever the backing image holds.  False when the format cannot say so.
  virtual bool publish_zero(std::uint64_t offset);
  // Writes what publish() kept back.  The file is flushed afterwards by who calls it.
  virtual void flush() {}
  // Called once when the image is closed, after flush(), when begin() was: marks it as closed.
  virtual void end() {}
};

struct BlockDiskParts {
  std::uint64_t size;               // bytes, of the disk
  std::uint32_t sector_size = 512;  // of the disk
  DiskPtr file;                     // where data lies
  DiskPtr backing;                  // may be shorter than the disk; nullptr: none
  std::uint64_t cache_bytes = 0;    // for decoded blocks
};

// Read-only.  A run of data that begins beyond the file's end is Error(EUCLEAN); one that ends
// beyond it reads as zeros there.
DiskPtr make_block_disk(std::unique_ptr<const BlockMap> map, BlockDiskParts parts);

// For reading and writing; `parts.file` is writable.  Zeros and discarded ranges are punched into
// the file where they are mapped, and allocate nothing where they are not.
DiskPtr make_writable_block_disk(std::unique_ptr<WritableBlockMap> map, BlockDiskParts parts);

}  // namespace vimg
