// GptImage: a disk with a GPT whose fields a test may change before its checksums are made.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "disk/checked.h"
#include "disk/crc32.h"
#include "disk/memory_disk.h"
#include "partitions/gpt_header.h"
#include "partitions/mbr_sector.h"

namespace vimg::test {

struct GptImage {
  std::uint32_t sector_size = 512;
  std::uint64_t sectors = 4096;
  GptHeader header{};             // of the primary; the backup's places are derived
  std::vector<GptEntry> entries;  // stored header.entry_size apart
  std::uint64_t backup_lba = 4095;

  GptImage() : entries(128) {
    std::memcpy(header.signature.data(), "EFI PART", 8);
    header.revision = 0x10000;
    header.header_size = sizeof(GptHeader);
    header.my_lba = 1;
    header.alternate_lba = 4095;
    header.first_usable_lba = 34;
    header.last_usable_lba = 4062;
    header.disk_guid.time_low = 0x01020304;
    header.entries_lba = 2;
    header.entry_count = 128;
    header.entry_size = sizeof(GptEntry);
    add(0, 64, 163);
    add(1, 164, 263);
  }

  void add(std::size_t index, std::uint64_t first_lba, std::uint64_t last_lba) {
    GptEntry& entry = entries.at(index);
    entry.type.time_low = 0x0fc63daf;
    entry.unique.time_low = std::uint32_t(index + 1);
    entry.first_lba = first_lba;
    entry.last_lba = last_lba;
  }

  std::vector<std::byte> content() const {
    std::vector<std::byte> out(sectors * sector_size);
    MbrSector mbr{};
    mbr.entries[0].type = mbr_type_gpt;
    mbr.entries[0].start = 1;
    mbr.entries[0].count = std::uint32_t(sectors - 1);
    mbr.signature = 0xaa55;
    store(out, 0, mbr);
    store_copy(out, header);
    GptHeader backup = header;
    backup.my_lba = backup_lba;
    backup.alternate_lba = 1;
    backup.entries_lba = backup_lba - 32;
    store_copy(out, backup);
    return out;
  }

  DiskPtr disk(std::uint32_t attached_sector_size = 512) const {
    return make_memory_disk(content(), attached_sector_size);
  }

 private:
  // As far as it fits.
  void store_copy(std::vector<std::byte>& out, GptHeader copy) const {
    std::vector<std::byte> array(std::size_t(copy.entry_count) * copy.entry_size);
    for (std::size_t i = 0; i < entries.size() && i < copy.entry_count; ++i) {
      store(array, i * copy.entry_size, entries[i]);
    }
    copy.entries_crc = crc32(array);
    copy.header_crc = 0;
    copy.header_crc = crc32(bytes_of(copy).first(sizeof(GptHeader)));
    const std::uint64_t at = checked_mul(copy.entries_lba, sector_size).value_or(out.size());
    if (!array.empty() && fits(at, array.size(), out.size())) {
      std::memcpy(out.data() + at, array.data(), array.size());
    }
    store(out, copy.my_lba * sector_size, copy);
  }
};

}  // namespace vimg::test
