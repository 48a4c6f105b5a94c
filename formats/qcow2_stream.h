// Compressed qcow2 images, which are written from front to end.
#pragma once

#include <memory>

#include "disk/disk.h"
#include "formats/create.h"

namespace vimg::qcow2 {

// As FormatDriver::stream: nullptr unless `image` shall be compressed.
std::unique_ptr<ImageStream> open_stream(DiskPtr file, NewImage image);

}  // namespace vimg::qcow2
