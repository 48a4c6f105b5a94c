// The disk that a verb reads: a whole image, or one volume of what is inside.
#pragma once

#include <string>

#include "cli/image_arguments.h"
#include "cli/verb.h"

namespace vimg {

// Opens the image at `path`, or with `volume` not empty that volume of it, and prints the
// warnings.  Throws Error; Error(EINVAL) when there is no such volume.
Image open_source(const std::string& path, const ImageArguments& arguments,
                  const std::string& volume, const Streams& streams);

}  // namespace vimg
