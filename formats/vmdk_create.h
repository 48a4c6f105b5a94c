// New VMDK images.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "disk/disk.h"
#include "formats/create.h"
#include "formats/vmdk_layout.h"

namespace vimg::vmdk {

constexpr std::uint64_t new_grain_sectors = 128;
constexpr std::uint32_t new_table_entries = 512;
constexpr std::uint64_t new_descriptor_sectors = 20;

// What is asked for, validated.
struct NewDisk {
  enum class Subformat { monolithic_sparse, stream_optimized };
  Subformat subformat;
  std::uint64_t sectors;
  std::string adapter_type;
  std::string hardware_version;
  std::string tools_version;
  bool has_zeroed_grains;
  std::string file_name;

  std::uint64_t table_count() const noexcept;
};

// Throws Error(EINVAL) for what cannot be, Error(EOPNOTSUPP) for what is not made here.
NewDisk validated(const Disk& file, NewImage image);
// The header with all that does not depend on where tables are, and without overhead.
SparseHeader header_of(const NewDisk& disk);
// The descriptor, padded to new_descriptor_sectors.
std::string descriptor_of(const NewDisk& disk);

// As FormatDriver's.
void create_image(Disk& file, NewImage image);
std::unique_ptr<ImageStream> begin_stream(DiskPtr file, NewImage image);

}  // namespace vimg::vmdk
