// The block table and the sector bitmaps of a dynamic or differencing VHD.
#pragma once

#include <cstdint>
#include <optional>

#include "formats/block_disk.h"
#include "formats/vhd_layout.h"

namespace vimg::vhd {

// For reading alone, too: then nobody calls what changes it.
class VhdMap final : public WritableBlockMap {
 public:
  VhdMap(const Header& header, DiskPtr file, std::uint64_t cache_bytes);

  BlockRun find(std::uint64_t offset, std::uint64_t max) const override;
  std::uint64_t block_size() const noexcept override { return header_.block_size; }
  void mark_written(std::uint64_t offset, std::uint64_t length) override;
  void begin() override;
  std::uint64_t allocate(std::uint64_t offset) override;
  void publish(std::uint64_t offset, std::uint64_t place) override;

 private:
  // Where the bitmap of a block begins; nothing when it is not allocated.
  std::optional<std::uint64_t> bitmap_of(std::uint64_t index) const;
  std::uint64_t end_of_blocks() const;
  BlockRun find_sectors(std::uint64_t bitmap, std::uint64_t skip, std::uint64_t max) const;

  const Header header_;
  const DiskPtr file_;
  const DiskPtr tables_;
  std::uint64_t footer_ = 0;  // where it lies and the next block will, once begin() was called
};

}  // namespace vimg::vhd
