// BlockWriter: changes the disk that a WritableBlockMap describes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>

#include "formats/block_reader.h"

namespace vimg {

// Data is written before the map says where it is, so that an image cut short anywhere shows each
// block as it was or as it became.
//
// Threads: any.
class BlockWriter {
 public:
  // Both outlive it.
  BlockWriter(WritableBlockMap& map, const BlockReader& reader);

  void write(std::uint64_t offset, ConstBytes data);
  void write_zeros(std::uint64_t offset, std::uint64_t length);
  void discard(std::uint64_t offset, std::uint64_t length);
  void flush();
  // flush(), and the image is marked as closed.  Nobody else may be inside.
  void close();

 private:
  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
  };
  class Claim;

  void begin();
  Range block_at(std::uint64_t offset) const noexcept;
  void write_in_place(const BlockRun& run, std::uint64_t offset, ConstBytes data);
  void allocate(std::uint64_t offset, ConstBytes data);
  void copy_old(Range range, std::uint64_t place);
  void zero_run(const BlockRun& run, std::uint64_t offset);
  void zero_unmapped(std::uint64_t offset, std::uint64_t length);
  bool publish_zero(Range block);
  bool is_unmapped(Range block) const;

  WritableBlockMap& map_;
  const BlockReader& reader_;
  Disk& file_;
  std::mutex mutex_;  // guards all below and changes of the map; never held over data
  std::condition_variable released_;
  std::set<std::uint64_t> claimed_;  // blocks that are being allocated, by offset
  bool begun_ = false;
};

}  // namespace vimg
