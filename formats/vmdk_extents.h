// Opening what a VMDK image is made of: its extents and its parent.
#pragma once

#include <map>
#include <string>

#include "formats/driver.h"
#include "formats/vmdk_image.h"

namespace vimg::vmdk {

// The whole disk of `image`, which was read from `file`.
// Throws Error(EUCLEAN) when the parent is not what it was, and as OpenContext's members do.
DiskPtr open_image_disk(const VmdkImage& image, const DiskPtr& file, OpenContext& context);

// The file of an extent; one that several extents name is opened once, as its locks are taken once.
class ExtentFiles {
 public:
  explicit ExtentFiles(OpenContext& context) : context_(context) {}
  DiskPtr open(const std::string& name);

 private:
  OpenContext& context_;
  std::map<std::string, DiskPtr> files_;
};

}  // namespace vimg::vmdk
