#include "tests/support/manifest.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "tests/support/host.h"

namespace vimg::test {

nlohmann::json read_manifest(const std::string& name) {
  std::ifstream file(std::string(VIMG_TEST_IMAGES "/") + name + ".json");
  return nlohmann::json::parse(file);
}

std::vector<std::string> manifest_names(const std::string& group, const std::string& prefix) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(VIMG_TEST_IMAGES "/" + group)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() == ".json" && name.starts_with(prefix)) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<ManifestVolume> manifest_volumes(const std::string& name) {
  const auto manifest = read_manifest(name);
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
