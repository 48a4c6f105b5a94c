#include "partitions/mbr_sector.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include "disk/checked.h"

namespace vimg {
namespace {

constexpr std::uint16_t boot_signature = 0xaa55;

// Spec: Microsoft "FAT: General Overview of On-Disk Format", 1.03, "Boot Sector and BPB".
struct BiosParameterBlock {
  std::array<std::uint8_t, 3> jump;
  std::array<char, 8> oem_name;
  le16 sector_size;  // bytes
  std::uint8_t cluster_sectors;
  le16 reserved_sectors;
  std::uint8_t fat_count;
  le16 root_entries;
  le16 total_sectors_16;
  std::uint8_t media;
  le16 fat_sectors_16;
  le16 track_sectors;
  le16 heads;
  le32 hidden_sectors;
  le32 total_sectors_32;
  le32 fat_sectors_32;
};
static_assert(sizeof(BiosParameterBlock) == 40 && OnDisk<BiosParameterBlock>);

bool is_jump(const std::array<std::uint8_t, 3>& jump) {
  return jump[0] == 0xe9 || (jump[0] == 0xeb && jump[2] == 0x90);
}

// The checks of libblkid's vfat prober, all of which a boot loader's zeros or code fail.
bool is_fat(const BiosParameterBlock& block) {
  return is_jump(block.jump) && std::has_single_bit(block.sector_size.value()) &&
         block.sector_size >= 512 && block.sector_size <= 4096 &&
         std::has_single_bit(block.cluster_sectors) && block.reserved_sectors != 0 &&
         block.fat_count != 0 && (block.media == 0xf0 || block.media >= 0xf8) &&
         (block.total_sectors_16 != 0 || block.total_sectors_32 != 0) &&
         (block.fat_sectors_16 != 0 || block.fat_sectors_32 != 0);
}

}  // namespace

std::optional<MbrSector> read_mbr_sector(const Disk& disk, std::uint64_t offset) {
  if (!fits(offset, sizeof(MbrSector), disk.size())) {
    return std::nullopt;
  }
  const auto sector = read_object<MbrSector>(disk, offset);
  return sector.signature == boot_signature ? std::optional(sector) : std::nullopt;
}

bool has_protective_entry(const MbrSector& sector) noexcept {
  return std::ranges::any_of(sector.entries,
                             [](const MbrEntry& entry) { return entry.type == mbr_type_gpt; });
}

bool is_extended(const MbrEntry& entry) noexcept {
  return entry.type == 0x05 || entry.type == 0x0f || entry.type == 0x85;
}

bool is_volume_boot_sector(const MbrSector& sector) noexcept {
  const auto block = load<BiosParameterBlock>(sector.code);
  const std::string_view name(block.oem_name.data(), block.oem_name.size());
  return name == "NTFS    " || name == "EXFAT   " || is_fat(block);
}

}  // namespace vimg
