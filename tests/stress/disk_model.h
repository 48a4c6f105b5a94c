// DiskModel: what a disk must read as after all that was done to it.
#pragma once

#include <cstdint>
#include <string>

#include "disk/disk.h"
#include "tests/stress/disk_mapping.h"

namespace vimg::stress {

// The content lies in a sparse raw file, which other programs can compare with the image.  What was
// discarded may read as zeros or as before, until a read shows which.
//
// Threads: any, for ranges that do not overlap.
class DiskModel {
 public:
  DiskModel(const std::string& path, std::uint64_t size);

  std::uint64_t size() const noexcept { return content_.bytes().size(); }
  Bytes content() const noexcept { return content_.bytes(); }

  void write(std::uint64_t offset, ConstBytes data);
  void write_zeros(std::uint64_t offset, std::uint64_t length);
  void discard(std::uint64_t offset, std::uint64_t length);

  // Throws Error(EUCLEAN) when `seen` is not what may be read at `offset`.
  void check(std::uint64_t offset, ConstBytes seen);
  // Throws Error(EUCLEAN) when the range cannot read as zeros.
  void check_zeros(std::uint64_t offset, std::uint64_t length) const;

 private:
  const Mapping content_;
  const Mapping discarded_;  // not 0 for each byte that may also be 0
};

// Fills `model` with what `disk` holds.
void copy_content(const Disk& disk, DiskModel& model);
// Reads all of `disk`.  Throws Error(EUCLEAN) at the first difference.
void check_content(const Disk& disk, DiskModel& model);

}  // namespace vimg::stress
