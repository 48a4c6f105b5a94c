// Copying what a disk holds into a new image.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "disk/disk.h"
#include "formats/create.h"

namespace vimg {

struct CopyOptions {
  // What the target reads as before the copy; null: zeros.  Only what differs is written.
  const Disk* beneath = nullptr;
  unsigned threads = 2;
  // Places in the target are taken in the order of the disk, so that the same content gives the
  // same file.
  bool in_order = true;
  // Told how many bytes of the disk are done, by one thread at a time.
  std::function<void(std::uint64_t done)> progress;
  // Set by anybody: throw Error(EINTR) soon.
  const std::atomic<bool>* stop = nullptr;
};

// Makes the beginning of `to`, which is as long as `from` or longer, read as `from`.  Runs of
// zeros of 4 KiB, wherever they lie, are left out where `to` has zeros.  Memory: about 2 MiB for
// each thread.  Throws the first Error met.
void copy_disk(const Disk& from, Disk& to, const CopyOptions& options);

// The same for an image that is written from front to end; it is not finished.
void copy_disk(const Disk& from, ImageStream& to, const CopyOptions& options);

}  // namespace vimg
