#include "partitions/gpt_header.h"

#include <array>
#include <bit>
#include <string_view>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/crc32.h"

namespace vimg {
namespace {

constexpr std::string_view signature = "EFI PART";
constexpr std::uint32_t max_sector_size = 4096;
constexpr std::uint32_t max_entry_size = 4096;
constexpr std::uint32_t max_entry_count = 1024;  // ours; every tool writes 128

std::uint32_t header_crc(ConstBytes sector, std::uint32_t header_size) {
  constexpr std::size_t crc_offset = offsetof(GptHeader, header_crc);
  constexpr std::array<std::byte, sizeof(le32)> zeros{};
  std::uint32_t crc = crc32_update(0xffffffff, sector.first(crc_offset));
  crc = crc32_update(crc, zeros);
  return ~crc32_update(crc, sector.first(header_size).subspan(crc_offset + zeros.size()));
}

// Why the header in `sector` is not to be trusted, or nothing.
std::string header_fault(const GptHeader& header, ConstBytes sector, std::uint64_t lba) {
  if (header.header_size < sizeof(GptHeader) || header.header_size > sector.size()) {
    return fmt::format("its size {} is not between {} and {}", header.header_size.value(),
                       sizeof(GptHeader), sector.size());
  }
  if (const auto crc = header_crc(sector, header.header_size); crc != header.header_crc) {
    return fmt::format("its CRC is {:#x}, not {:#x}", crc, header.header_crc.value());
  }
  if (header.my_lba != lba) {
    return fmt::format("it says that it lies in sector {}", header.my_lba.value());
  }
  return {};
}

// Why the entry array that `header` describes cannot be read, or nothing.
std::string array_fault(const GptHeader& header, std::uint32_t sector_size, const Disk& disk) {
  if (!std::has_single_bit(header.entry_size.value()) || header.entry_size < sizeof(GptEntry) ||
      header.entry_size > max_entry_size) {
    return fmt::format("its entry size {} is not a power of two from {} to {}",
                       header.entry_size.value(), sizeof(GptEntry), max_entry_size);
  }
  if (header.entry_count == 0 || header.entry_count > max_entry_count) {
    return fmt::format("its entry count {} is not between 1 and {}", header.entry_count.value(),
                       max_entry_count);
  }
  const auto offset = checked_mul(header.entries_lba, sector_size);
  const std::uint64_t length = std::uint64_t(header.entry_count) * header.entry_size;
  if (!offset || !fits(*offset, length, disk.size())) {
    return fmt::format("its entries at sector {} lie beyond the disk's end {:#x}",
                       header.entries_lba.value(), disk.size());
  }
  return {};
}

// Fills copy.entries, or copy.fault.
void read_entries(const Disk& disk, std::uint32_t sector_size, GptCopy& copy) {
  const GptHeader& header = *copy.head;
  copy.fault = array_fault(header, sector_size, disk);
  if (!copy.fault.empty()) {
    return;
  }
  std::vector<std::byte> array(std::size_t(header.entry_count) * header.entry_size);
  disk.read(header.entries_lba * sector_size, array);
  if (const auto crc = crc32(array); crc != header.entries_crc) {
    copy.fault =
        fmt::format("the CRC of its entries is {:#x}, not {:#x}", crc, header.entries_crc.value());
    return;
  }
  for (std::size_t offset = 0; offset < array.size(); offset += header.entry_size) {
    copy.entries.push_back(load<GptEntry>(array, offset));
  }
}

}  // namespace

GptCopy read_gpt_copy(const Disk& disk, std::uint32_t sector_size, std::uint64_t lba) {
  GptCopy copy;
  const auto offset = checked_mul(lba, sector_size);
  if (!offset || !fits(*offset, sector_size, disk.size())) {
    copy.fault = "it lies beyond the disk's end";
    return copy;
  }
  std::array<std::byte, max_sector_size> buffer;
  const Bytes sector = Bytes(buffer).first(sector_size);
  disk.read(*offset, sector);
  const auto header = load<GptHeader>(sector);
  copy.present = std::string_view(header.signature.data(), signature.size()) == signature;
  copy.fault = copy.present ? header_fault(header, sector, lba) : "it has no signature";
  if (copy.fault.empty()) {
    copy.head = header;
    read_entries(disk, sector_size, copy);
  }
  return copy;
}

}  // namespace vimg
