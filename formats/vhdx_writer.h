// VHDX: the block map of an image that is written in place.
#pragma once

#include <cstdint>

#include "formats/block_disk.h"
#include "formats/vhdx_header.h"
#include "formats/vhdx_log_writer.h"
#include "formats/vhdx_map.h"

namespace vimg::vhdx {

// Changes of the BAT stay in memory until flush(), which logs them, and then makes them.
class WritableMap final : public WritableBlockMap {
 public:
  // `file` is writable, and its log is empty.  Reads the whole BAT.
  // Throws Error(EUCLEAN) when blocks overlap or lie beyond the file, so that a write would destroy
  // something, Error(EOPNOTSUPP) when there is no log to write through.
  WritableMap(const CurrentHeader& header, Layout layout, DiskPtr file, DiskPtr tables);

  BlockRun find(std::uint64_t offset, std::uint64_t max) const override {
    return lookup_.find(offset, max);
  }
  std::uint64_t block_size() const noexcept override { return lookup_.layout().block_size; }
  void begin() override;
  std::uint64_t allocate(std::uint64_t offset) override;
  void publish(std::uint64_t offset, std::uint64_t place) override;
  bool publish_zero(std::uint64_t offset) override;
  void flush() override;
  void end() override;

 private:
  std::uint64_t end_of_blocks() const;
  std::uint64_t index_of(std::uint64_t offset) const noexcept;
  void change(std::uint64_t offset, BatEntry entry);

  const DiskPtr file_;
  BlockLookup lookup_;
  CurrentHeader header_;
  LogWriter log_;
  std::uint64_t end_;  // of all that the file holds; blocks are added here
};

}  // namespace vimg::vhdx
