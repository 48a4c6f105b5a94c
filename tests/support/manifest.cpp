#include "tests/support/manifest.h"

#include <algorithm>
#include <fstream>

#include <nlohmann/json.hpp>

#include "tests/support/host.h"

namespace vimg::test {

std::vector<ManifestVolume> manifest_volumes(const std::string& name) {
  std::ifstream file(std::string(VIMG_TEST_IMAGES "/") + name + ".json");
  const auto manifest = nlohmann::json::parse(file);
  std::vector<ManifestVolume> volumes;
  for (const auto& [volume, facts] : manifest.at("volumes").items()) {
    volumes.push_back({volume, facts.at("bytes"), facts.at("sha256")});
  }
  return volumes;
}

std::string sha256_of(const Disk& disk) {
  const TemporaryDirectory directory;
  std::vector<std::byte> content(disk.size());
  disk.read(0, content);
  write_file(directory / "content", content);
  return must_run("sha256sum < '" + (directory / "content") + "'").substr(0, 64);
}

}  // namespace vimg::test
