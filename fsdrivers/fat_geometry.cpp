#include "fsdrivers/fat_geometry.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/fat_format.h"

namespace vimg::fat {
namespace {

constexpr const char* layer = "fat";
constexpr std::uint32_t max_fat12_clusters = 4084;
constexpr std::uint32_t max_fat16_clusters = 65524;
constexpr std::uint32_t max_fat32_clusters = 0x0ffffff5;
constexpr std::uint16_t flag_one_active_fat = 0x80;

void validate_units(const BootSector& boot) {
  const std::uint32_t sector = boot.sector_size;
  const std::uint32_t per_cluster = boot.sectors_per_cluster;
  if (!std::has_single_bit(sector) || sector < 512 || sector > 4096) {
    throw_corrupt(layer, fmt::format("sector size {}, expected 512 to 4096", sector));
  }
  if (!std::has_single_bit(per_cluster)) {
    throw_corrupt(layer, fmt::format("{} sectors per cluster, no power of two", per_cluster));
  }
  if (boot.reserved_sectors == 0 || boot.fat_count == 0 || boot.fat_count > 4) {
    throw_corrupt(layer, fmt::format("{} reserved sectors and {} FATs",
                                     boot.reserved_sectors.value(), boot.fat_count));
  }
  if (boot.media != 0xf0 && boot.media < 0xf8) {
    throw_corrupt(layer, fmt::format("media byte {:#x}", boot.media));
  }
}

Kind kind_of(const BootSector& boot, std::uint64_t clusters) {
  if (boot.sectors_per_fat16 == 0) {
    return Kind::fat32;
  }
  return clusters <= max_fat12_clusters ? Kind::fat12 : Kind::fat16;
}

std::uint64_t entries_in(Kind kind, std::uint64_t fat_length) {
  const std::uint64_t bits = kind == Kind::fat12 ? 12 : kind == Kind::fat16 ? 16 : 32;
  return fat_length * 8 / bits;
}

std::uint32_t max_clusters(Kind kind) {
  return kind == Kind::fat12   ? max_fat12_clusters
         : kind == Kind::fat16 ? max_fat16_clusters
                               : max_fat32_clusters;
}

// As linux does, what has no entry in the FAT is not there.
void count_clusters(Geometry& geometry, const BootSector& boot, std::uint64_t sectors) {
  const std::uint64_t start_sectors = geometry.data_offset / geometry.sector_size;
  if (sectors <= start_sectors) {
    throw_corrupt(layer,
                  fmt::format("{:#x} sectors, the data begin at {:#x}", sectors, start_sectors));
  }
  const std::uint64_t clusters = (sectors - start_sectors) / boot.sectors_per_cluster;
  geometry.kind = kind_of(boot, clusters);
  const std::uint64_t entries = entries_in(geometry.kind, geometry.fat_length);
  if (clusters > max_clusters(geometry.kind) || clusters == 0 || entries <= first_data_cluster) {
    throw_corrupt(layer,
                  fmt::format("{:#x} clusters, {:#x} entries in the FAT", clusters, entries));
  }
  geometry.cluster_count = std::uint32_t(std::min(clusters, entries - first_data_cluster));
}

void place_fat32(Geometry& geometry, const BootSector32& more) {
  if (more.version != 0) {
    throw_unsupported(layer, fmt::format("FAT32 version {:#x}", more.version.value()));
  }
  geometry.root_cluster = more.root_cluster;
  if (!is_cluster(geometry, geometry.root_cluster)) {
    throw_corrupt(layer, fmt::format("root directory at cluster {:#x} of {:#x}",
                                     geometry.root_cluster, geometry.cluster_count));
  }
  if (more.info_sector != 0 && more.info_sector != 0xffff) {
    const std::uint64_t offset = std::uint64_t{more.info_sector} * geometry.sector_size;
    geometry.info_offset = offset < geometry.fat_offset ? offset : 0;
  }
}

void choose_fat(Geometry& geometry, const BootSector& boot, const BootSector32& more) {
  geometry.mirrors = boot.fat_count - 1U;
  const std::uint16_t flags = more.flags;
  if ((flags & flag_one_active_fat) == 0) {
    return;
  }
  const std::uint32_t active = flags & 0xfU;
  if (active >= boot.fat_count) {
    throw_corrupt(layer, fmt::format("FAT {} of {} is active", active, boot.fat_count));
  }
  geometry.fat_offset += active * geometry.fat_length;
  geometry.mirrors = 0;
}

}  // namespace

Geometry read_geometry(const Disk& disk) {
  const auto boot = read_object<BootSector>(disk, 0);
  const auto more = read_object<BootSector32>(disk, sizeof(BootSector));
  validate_units(boot);
  Geometry geometry{};
  geometry.layer = layer;
  geometry.sector_size = boot.sector_size;
  geometry.cluster_size = geometry.sector_size * boot.sectors_per_cluster;
  const bool is_fat32 = boot.sectors_per_fat16 == 0;
  const std::uint64_t fat_sectors =
      is_fat32 ? more.sectors_per_fat.value() : boot.sectors_per_fat16.value();
  geometry.fat_offset = std::uint64_t{boot.reserved_sectors} * geometry.sector_size;
  geometry.fat_length = fat_sectors * geometry.sector_size;
  geometry.root_offset = geometry.fat_offset + boot.fat_count * geometry.fat_length;
  geometry.root_length = is_fat32 ? 0 : std::uint32_t{boot.root_entries} * slot_size;
  geometry.data_offset =
      geometry.root_offset + round_up(geometry.root_length, geometry.sector_size);
  const std::uint64_t sectors =
      boot.sectors16 != 0 ? boot.sectors16.value() : boot.sectors32.value();
  geometry.end = sectors * geometry.sector_size;
  count_clusters(geometry, boot, sectors);
  if (is_fat32) {
    place_fat32(geometry, more);
    choose_fat(geometry, boot, more);
  } else {
    geometry.mirrors = boot.fat_count - 1U;
    if (geometry.root_length == 0) {
      throw_corrupt(layer, "no root directory");
    }
  }
  geometry.state_offset = (is_fat32 ? tail_offset32 : tail_offset16) + offsetof(BootTail, state);
  return geometry;
}

bool looks_like_fat(const Disk& disk) {
  if (disk.size() < 1024) {
    return false;
  }
  const auto boot = read_object<BootSector>(disk, 0);
  const bool jumps = (boot.jump[0] == 0xeb || boot.jump[0] == 0xe9);
  const auto tail16 = read_object<BootTail>(disk, tail_offset16);
  const auto tail32 = read_object<BootTail>(disk, tail_offset32);
  const auto says_fat = [](const BootTail& tail) {
    return tail.type[0] == 'F' && tail.type[1] == 'A' && tail.type[2] == 'T';
  };
  const bool signed_sector =
      read_object<le16>(disk, boot_signature_offset) == boot_signature && jumps;
  if (!signed_sector && !says_fat(tail16) && !says_fat(tail32)) {
    return false;
  }
  try {
    read_geometry(disk);
  } catch (const Error& error) {
    return error.code() == EOPNOTSUPP;
  }
  return true;
}

}  // namespace vimg::fat
