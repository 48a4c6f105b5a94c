#include "fsdrivers/fat_open.h"

#include <cerrno>
#include <utility>

#include "disk/error.h"

namespace vimg::fat {

std::unique_ptr<FileSystem> open_tree(std::unique_ptr<Volume> volume, const OwnerOptions& owners,
                                      FileSystemInfo info, MountAccess access) {
  if (access == MountAccess::read_write) {
    throw_error(EROFS, info.type, "this driver only reads");
  }
  return std::make_unique<FatTree>(std::move(volume), owners, std::move(info));
}

}  // namespace vimg::fat
