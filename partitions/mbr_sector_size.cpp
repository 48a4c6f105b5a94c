#include "partitions/mbr_sector_size.h"

#include <algorithm>
#include <vector>

#include "disk/checked.h"

namespace vimg {
namespace {

// Every file system, and LVM, RAID, LUKS with their headers in front, has something in here; btrfs
// begins last, at 64 KiB.
constexpr std::uint64_t inspected = 128U << 10;

bool all_fit(const Disk& disk, const MbrSector& mbr, std::uint32_t sector_size) {
  return std::ranges::all_of(mbr.entries, [&](const MbrEntry& entry) {
    return fits(std::uint64_t(entry.start) * sector_size, std::uint64_t(entry.count) * sector_size,
                disk.size());
  });
}

bool has_content(const Disk& disk, const MbrEntry& entry, std::uint32_t sector_size) {
  const std::uint64_t offset = std::uint64_t(entry.start) * sector_size;
  if (entry.count == 0 || offset >= disk.size()) {
    return false;
  }
  if (is_extended(entry)) {
    return read_mbr_sector(disk, offset).has_value();
  }
  const std::uint64_t length = std::uint64_t(entry.count) * sector_size;
  std::vector<std::byte> start(std::min({inspected, length, disk.size() - offset}));
  disk.read(offset, start);
  return !all_zero(start);
}

bool any_content(const Disk& disk, const MbrSector& mbr, std::uint32_t sector_size) {
  return std::ranges::any_of(
      mbr.entries, [&](const MbrEntry& entry) { return has_content(disk, entry, sector_size); });
}

}  // namespace

std::uint32_t mbr_sector_size(const Disk& disk, const MbrSector& mbr) {
  const std::uint32_t usual = disk.sector_size();
  const std::uint32_t other = usual == 512 ? 4096 : 512;
  // Nothing is read on the common disk, whose partitions reach its end.
  const bool other_it_is =
      all_fit(disk, mbr, other) && !any_content(disk, mbr, usual) && any_content(disk, mbr, other);
  return other_it_is ? other : usual;
}

}  // namespace vimg
