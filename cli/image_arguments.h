// The options that every verb shares which opens images.
#pragma once

#include <string>
#include <vector>

#include "formats/image.h"
#include "guest/guest.h"

namespace CLI {
class App;
}

namespace vimg {

struct ImageArguments {
  std::string format;
  std::string snapshot;
  std::vector<std::string> allowed_directories;

  // Adds --format, --snapshot and --allow-refs to `command`; this must outlive its parsing.
  void declare(CLI::App& command);

  ImageOptions image_options() const;
  GuestOptions guest_options() const;
};

}  // namespace vimg
