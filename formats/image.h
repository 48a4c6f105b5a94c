// Opening an image by its path: the file, its format, and all the files it refers to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/driver.h"

namespace vimg {

struct ImageOptions {
  // A format driver's name, obeyed: then nothing is unwrapped.  A source driver's name: unwrapped
  // by that, and the format of what is inside detected; SOURCE:FORMAT is both.  Empty: detect both.
  std::string format;
  Access access = Access::read_only;
  std::string snapshot;
  std::uint64_t cache_bytes = 24U << 20;         // for the whole chain
  std::vector<std::string> allowed_directories;  // --allow-refs
  Locking locking = Locking::on;
};

struct Image {
  DiskPtr disk;                       // decoded
  ImageInfo info;                     // of the top image
  std::string path;                   // as given
  std::uint64_t file_size = 0;        // bytes, of the top file
  bool is_unwrapped = false;          // the top file is of a source, and the image lies in it
  std::vector<std::string> files;     // every file of the chain, top first
  std::vector<std::string> warnings;  // for the user, in words
};

// All images in the file: several where it is of a source that holds several, else one.
// Throws Error as disk/error.h says; the message begins with the path.
std::vector<Image> open_images(const std::string& path, const ImageOptions& options);

// The only one.  Throws Error(EINVAL) that names them when there are several.
Image open_image(const std::string& path, const ImageOptions& options);

// What the format's check finds in the image itself, nothing of the files behind it; nothing when
// the format has no check.  Opens for writing with Repair::leaks, whatever the options say.
std::optional<CheckReport> check_image(const std::string& path, ImageOptions options,
                                       Repair repair);

// `path` opened read-only, with a qcow2 image at `overlay_path` on top that takes all writes.  The
// overlay is created when it does not exist (backing file: `path` relative to the overlay's
// directory where it lies beneath it, else absolute, with its format); an existing one must have
// this backing.
Image open_with_overlay(const std::string& path, const std::string& overlay_path,
                        const ImageOptions& options);

}  // namespace vimg
