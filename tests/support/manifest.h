// What the manifests of tests/images say of the volumes in an image.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "disk/disk.h"

namespace vimg::test {

// The content of tests/images/NAME.json.
nlohmann::json read_manifest(const std::string& name);

// The names of the manifests in tests/images/GROUP that begin with `prefix`, sorted.
std::vector<std::string> manifest_names(const std::string& group, const std::string& prefix);

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
