// The sample images of tests/images/formats, decoded, against what a real kernel or QEMU saw.
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "formats/image.h"
#include "tests/support/host.h"
#include "tests/support/manifest.h"

namespace vimg::test {
namespace {

// The SHA-256 of the whole disk, as the manifest has it.
std::string expected_sha256(const std::string& manifest) {
  for (const ManifestVolume& volume : manifest_volumes(manifest)) {
    if (volume.name == "disk") {
      return volume.sha256;
    }
  }
  FAIL("no disk in the manifest " << manifest);
  return {};
}

// All files of the sample; the path of the first, which names the others.
std::string unpack_sample(const TemporaryDirectory& directory, const nlohmann::json& manifest) {
  std::string first;
  for (const auto& file : manifest["files"]) {
    const std::string path = unpack_image(directory, "formats/" + file["file"].get<std::string>());
    first = first.empty() ? path : first;
  }
  return first;
}

}  // namespace

TEST_CASE("formats: every sample image is detected and decodes to what its maker put in") {
  for (const std::string& name : manifest_names("formats", "")) {
    CAPTURE(name);
    const nlohmann::json manifest = read_manifest("formats/" + name);
    const TemporaryDirectory directory;
    const Image image = open_image(unpack_sample(directory, manifest), {});
    CHECK(sha256_of(*image.disk) == expected_sha256("formats/" + name));
  }
}

}  // namespace vimg::test
