// What the manifests of tests/images say of the volumes in an image.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "disk/disk.h"

namespace vimg::test {

struct ManifestVolume {
  std::string name;  // "p5", "vg0_root"
  std::uint64_t bytes;
  std::string sha256;
};

// The volumes that tests/images/NAME.json lists, in the order of their names.
std::vector<ManifestVolume> manifest_volumes(const std::string& name);

// Of all bytes of `disk`, in hex.  Needs sha256sum.
std::string sha256_of(const Disk& disk);

}  // namespace vimg::test
