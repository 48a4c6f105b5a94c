// The block table of a VDI image.
#pragma once

#include <cstdint>

#include "formats/block_disk.h"
#include "formats/vdi_layout.h"

namespace vimg::vdi {

// For reading alone, too: then nobody calls what changes it.
class VdiMap final : public WritableBlockMap {
 public:
  VdiMap(const Header& header, DiskPtr file, std::uint64_t cache_bytes);

  BlockRun find(std::uint64_t offset, std::uint64_t max) const override;
  std::uint64_t block_size() const noexcept override { return header_.block_size; }
  void begin() override;
  std::uint64_t allocate(std::uint64_t offset) override;
  void publish(std::uint64_t offset, std::uint64_t place) override;
  bool publish_zero(std::uint64_t offset) override;

 private:
  std::uint32_t entry(std::uint64_t index) const;
  void set_entry(std::uint64_t index, std::uint32_t value);

  const Header header_;
  const DiskPtr file_;
  const DiskPtr table_;
  std::uint64_t allocated_ = 0;  // blocks in the file, once begin() was called
};

// One more than the highest block number that the table has; 0 when it has none.  Reads it all.
std::uint64_t blocks_in_use(const Disk& file, const Header& header);

}  // namespace vimg::vdi
