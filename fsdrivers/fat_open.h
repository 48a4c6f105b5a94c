// What the drivers of FAT and exFAT open alike.
#pragma once

#include <memory>

#include "fsdrivers/driver.h"
#include "fsdrivers/fat_tree.h"

namespace vimg::fat {

constexpr std::uint64_t table_cache_bytes = std::uint64_t{8} << 20;

std::unique_ptr<FileSystem> open_tree(std::unique_ptr<Volume> volume, const OwnerOptions& owners,
                                      FileSystemInfo info, MountAccess access);

}  // namespace vimg::fat
