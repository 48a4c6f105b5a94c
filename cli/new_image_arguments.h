// The options that the verbs share which make images.
#pragma once

#include <string>

#include "formats/image.h"
#include "formats/new_image.h"

namespace CLI {
class App;
}

namespace vimg {

struct NewImageArguments {
  std::string path;
  std::string format;
  std::string options;  // -o
  std::string backing_file;
  std::string backing_format;
  bool force = false;

  // Adds -o, the options for a backing file, and --force; this must outlive the parsing.
  void declare(CLI::App& command);

  // Throws Error(EINVAL) when there is none of that name.
  const FormatDriver& driver() const;
  // What is asked for but the size.  Throws Error(EINVAL).
  NewImage image() const;
  // The backing file's disk, which the new image refers to by a name relative to itself; nullptr
  // without one.
  DiskPtr open_backing() const;
  Existing existing() const noexcept { return force ? Existing::replace : Existing::refuse; }
};

}  // namespace vimg
