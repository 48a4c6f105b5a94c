#include "fsdrivers/ext4_writer_open.h"

#include <cerrno>
#include <utility>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_writer.h"
#include "fsdrivers/ext4_writer_checks.h"

namespace vimg::ext4 {

std::unique_ptr<Ext4FileSystem> open_writable(const DiskPtr& disk, const Options& options,
                                              std::vector<std::string> warnings) {
  if (options.superblock_offset != superblock_offset) {
    throw_error(EROFS, layer, "can only be read, because a copy of the superblock is used");
  }
  const Superblock superblock = read_superblock(*disk, superblock_offset);
  validate(superblock, superblock_offset);
  check_writable(superblock);
  if (!disk->writable()) {
    throw_error(EROFS, layer, "the disk cannot be written");
  }
  auto volume = std::make_unique<WriteVolume>(disk, superblock);
  auto reader = std::make_unique<Ext4FileSystem>(make_metadata_view(volume->cache), options,
                                                 MountAccess::read_write, std::move(warnings));
  reader->set_writer(std::make_unique<Ext4Writer>(std::move(volume), *reader));
  return reader;
}

}  // namespace vimg::ext4
