#include "fsdrivers/driver.h"

#include <algorithm>
#include <array>

namespace vimg {

extern const FileSystemDriver ext4_driver;
extern const FileSystemDriver fat_driver;

namespace {

constexpr std::array drivers{&ext4_driver, &fat_driver};

// What mount(8) and blkid call the file systems that a driver serves.
struct ServedType {
  std::string_view type;
  const FileSystemDriver* driver;
};
constexpr std::array served_types{
    ServedType{"ext2", &ext4_driver}, ServedType{"ext3", &ext4_driver},
    ServedType{"ext4", &ext4_driver}, ServedType{"ext4dev", &ext4_driver},
    ServedType{"vfat", &fat_driver},  ServedType{"msdos", &fat_driver},
};

}  // namespace

std::span<const FileSystemDriver* const> filesystem_drivers() noexcept { return drivers; }

const FileSystemDriver* find_filesystem_driver(std::string_view type) noexcept {
  const auto* const served =
      std::find_if(served_types.begin(), served_types.end(),
                   [&](const ServedType& entry) { return entry.type == type; });
  return served == served_types.end() ? nullptr : served->driver;
}

std::optional<ProbedFileSystem> probe_filesystem(const Disk& disk) {
  for (const FileSystemDriver* driver : drivers) {
    if (auto identity = driver->probe(disk)) {
      return ProbedFileSystem{driver, *std::move(identity)};
    }
  }
  return std::nullopt;
}

}  // namespace vimg
