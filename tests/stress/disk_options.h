// What vimg_disk_stress was asked for, and how it opens the image.
#pragma once

#include <cstdint>
#include <string>

#include "formats/image.h"

namespace vimg::stress {

struct DiskStressOptions {
  std::string image;
  std::string model;
  std::string format;
  unsigned seconds = 60;
  unsigned threads = 4;
  unsigned kills = 0;
  std::uint64_t seed = 1;
};

Image open_for_stress(const DiskStressOptions& options, Access access);

// Throws Error(EUCLEAN) with what was found when the format has a check and that finds corruptions
// or, with Repair::nothing, leaks.
void check_structure(const DiskStressOptions& options, Repair repair);

// Random operations by several threads, the image opened anew now and then, until the time is over.
void run_random(const DiskStressOptions& options);
// A process that writes is killed and what it left is looked at, options.kills times.
void run_kills(const DiskStressOptions& options);

}  // namespace vimg::stress
