// Assembly: from opened images to volumes, by probing every Disk until nothing new turns up.
#pragma once

#include <string>
#include <vector>

#include "guest/guest.h"

namespace vimg {

struct Assembly {
  std::vector<Image> images;
  std::vector<Volume> volumes;  // ordered as Guest::volumes()
  std::vector<VolumeGroup> groups;
  std::vector<std::string> problems;
};

// What `images` hold.  Reads tables, labels and superblocks only.  Never throws for what they hold:
// a volume that cannot be used says so in `problems`, and the others are there.
Assembly assemble(std::vector<Image> images);

}  // namespace vimg
