// FileSystemDriver: what opens a file system, and the list of drivers.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fsdrivers/filesystem.h"

namespace vimg {

// `read_write` needs a writable Disk.
enum class MountAccess { read_only, read_write };

struct FileSystemOptions {
  MountAccess access = MountAccess::read_only;
  // The file system's own options as mount(8) has them, split at the commas: "noload", "uid=5".
  std::vector<std::string> options;
};

// What the superblock says; cheap to read, nothing is replayed.
struct FileSystemIdentity {
  std::string type;  // "ext4", as blkid says
  std::string label;
  std::string uuid;
};

struct FileSystemDriver {
  const char* name;
  const char* summary;
  // What `disk` holds, or nothing when it is not this driver's.  Reads little, never throws for
  // damage.
  std::optional<FileSystemIdentity> (*probe)(const Disk& disk);
  // Throws Error(EINVAL) for an option it does not know: "ext4: unknown option 'foo'".
  std::unique_ptr<FileSystem> (*open)(DiskPtr disk, const FileSystemOptions& options);
};

std::span<const FileSystemDriver* const> filesystem_drivers() noexcept;

// The driver that serves `type`, a name that mount(8) or blkid uses ("ext3"); nullptr if none.
const FileSystemDriver* find_filesystem_driver(std::string_view type) noexcept;

struct ProbedFileSystem {
  const FileSystemDriver* driver;
  FileSystemIdentity identity;
};
std::optional<ProbedFileSystem> probe_filesystem(const Disk& disk);

}  // namespace vimg
