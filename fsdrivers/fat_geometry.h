// Geometry: where a FAT or exFAT volume has what.
#pragma once

#include <cstdint>

#include "disk/disk.h"

namespace vimg::fat {

constexpr std::uint32_t first_data_cluster = 2;

enum class Kind { fat12, fat16, fat32, exfat };

// Offsets and lengths are in bytes and lie in 64 bits; nothing overflows below.
struct Geometry {
  Kind kind;
  const char* layer;  // "fat", "exfat": for messages
  std::uint32_t sector_size;
  std::uint32_t cluster_size;   // a power of two, 512 to 32 MiB
  std::uint32_t cluster_count;  // numbered from 2; each has its entry in the FAT
  std::uint64_t fat_offset;     // the FAT that is read
  std::uint64_t fat_length;
  std::uint32_t mirrors;  // FATs that follow it and are written too
  std::uint64_t data_offset;
  std::uint64_t root_offset;  // of the root directory of FAT12 and FAT16
  std::uint32_t root_length;  // of the same; 0: a chain of clusters
  std::uint32_t root_cluster;
  std::uint64_t state_offset;  // of the byte with the dirty bit
  std::uint64_t info_offset;   // of FSInfo; 0: none
  std::uint64_t end;           // of the volume
};

constexpr bool is_cluster(const Geometry& geometry, std::uint32_t cluster) noexcept {
  return cluster >= first_data_cluster && cluster - first_data_cluster < geometry.cluster_count;
}

constexpr std::uint64_t offset_of_cluster(const Geometry& geometry,
                                          std::uint32_t cluster) noexcept {
  return geometry.data_offset + std::uint64_t{cluster - first_data_cluster} * geometry.cluster_size;
}

constexpr std::uint32_t cluster_at(const Geometry& geometry, std::uint64_t offset) noexcept {
  return std::uint32_t((offset - geometry.data_offset) / geometry.cluster_size) +
         first_data_cluster;
}

// What the boot sector of a FAT volume says.  Throws Error(EUCLEAN) unless all of the above holds.
Geometry read_geometry(const Disk& disk);

// True when `disk` begins with what only FAT begins with.
bool looks_like_fat(const Disk& disk);

}  // namespace vimg::fat
