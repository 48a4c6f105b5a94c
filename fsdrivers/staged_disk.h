// StagedDisk: changes to a Disk that are held back until all of them are known.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "disk/disk.h"

namespace vimg {

// Reads show what was written; nothing reaches the disk below.  For one thread.
class StagedDisk final : public Disk {
 public:
  // The whole blocks that differ from what is below, ascending.
  using Blocks = std::map<std::uint64_t, std::vector<std::byte>>;

  // `block_size` is that of changes().  Writing more than `limit` bytes is Error(ENOSPC).
  StagedDisk(DiskPtr base, std::uint32_t block_size, std::uint64_t limit);

  std::uint64_t size() const noexcept override { return base_->size(); }
  std::uint32_t sector_size() const noexcept override { return base_->sector_size(); }
  bool writable() const noexcept override { return true; }

  Blocks changes() const;

 private:
  void do_read(std::uint64_t offset, Bytes out) const override;
  void do_write(std::uint64_t offset, ConstBytes data) override;
  std::vector<std::byte>& block_to_change(std::uint64_t block);
  std::vector<std::byte> read_below(std::uint64_t block) const;

  DiskPtr base_;
  std::uint32_t block_size_;
  std::uint64_t limit_;
  Blocks blocks_;
};

}  // namespace vimg
