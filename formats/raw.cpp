// raw: the file is the disk.
#include <cerrno>

#include "disk/error.h"
#include "formats/driver.h"

namespace vimg {
namespace {

// Everything is raw when nothing else claims it, so there is nothing to probe for.
bool probe(const Disk&) { return false; }

DiskPtr open(DiskPtr file, OpenContext& context) {
  if (!context.snapshot().empty()) {
    throw_error(EINVAL, "raw", "has no internal snapshots");
  }
  return file;
}

ImageInfo info(const Disk& file) {
  ImageInfo info;
  info.format = "raw";
  info.virtual_size = file.size();
  return info;
}

}  // namespace

const FormatDriver raw_driver{"raw", "the bytes of the disk as they are", probe, open, info};

}  // namespace vimg
