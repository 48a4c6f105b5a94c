// MbrImage: a disk with an MBR that a test fills in.
#pragma once

#include <cstdint>
#include <vector>

#include "disk/memory_disk.h"
#include "partitions/mbr_sector.h"

namespace vimg::test {

class MbrImage {
 public:
  explicit MbrImage(std::uint64_t sectors, std::uint32_t sector_size = 512)
      : sector_size_(sector_size), content_(sectors * sector_size) {}

  // Sets slot 0 to 3 of the record in `sector` (0: the MBR) and signs it.
  MbrImage& entry(std::uint64_t sector, unsigned slot, std::uint8_t type, std::uint32_t start,
                  std::uint32_t count) {
    auto record = load<MbrSector>(content_, sector * sector_size_);
    record.entries.at(slot).type = type;
    record.entries.at(slot).start = start;
    record.entries.at(slot).count = count;
    record.disk_signature = 0xdeadbeef;
    record.signature = 0xaa55;
    store(content_, sector * sector_size_, record);
    return *this;
  }

  // One byte.
  MbrImage& poke(std::uint64_t offset, std::uint8_t value) {
    content_.at(offset) = std::byte(value);
    return *this;
  }

  DiskPtr disk(std::uint32_t sector_size = 512) const {
    return make_memory_disk(content_, sector_size);
  }

 private:
  std::uint32_t sector_size_;
  std::vector<std::byte> content_;
};

}  // namespace vimg::test
