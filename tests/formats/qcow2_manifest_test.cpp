// The sample images of tests/images/formats, decoded, against what QEMU decoded them to.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/formats/qcow2_support.h"
#include "tests/support/host.h"
#include "tests/support/manifest.h"

namespace vimg::test {
namespace {

struct Sample {
  const char* manifest;
  std::vector<std::string> files;  // the image first
};

const std::vector<Sample>& samples() {
  static const std::vector<Sample> all{
      {"qcow2-2M", {"qcow2-2M.qcow2"}},
      {"qcow2-4k", {"qcow2-4k.qcow2"}},
      {"qcow2-512", {"qcow2-512.qcow2"}},
      {"qcow2-chain", {"chain-top.qcow2", "chain-mid.qcow2", "chain-base.qcow2"}},
      {"qcow2-chain-long", {"chain-long.qcow2", "chain-base.raw"}},
      {"qcow2-datafile", {"qcow2-datafile.qcow2", "qcow2-datafile.data"}},
      {"qcow2-datafile-raw", {"qcow2-datafile-raw.qcow2", "qcow2-datafile-raw.data"}},
      {"qcow2-dirty", {"qcow2-dirty.qcow2"}},
      {"qcow2-extl2", {"qcow2-extl2.qcow2"}},
      {"qcow2-prealloc", {"qcow2-prealloc.qcow2"}},
      {"qcow2-snapshots", {"qcow2-snapshots.qcow2"}},
      {"qcow2-v2", {"qcow2-v2.qcow2"}},
      {"qcow2-v3", {"qcow2-v3.qcow2"}},
      {"qcow2-zlib", {"qcow2-zlib.qcow2"}},
      {"qcow2-zlib-v2", {"qcow2-zlib-v2.qcow2"}},
      {"qcow2-zstd", {"qcow2-zstd.qcow2"}},
  };
  return all;
}

// The SHA-256 of the whole disk, as the manifest has it.
std::string expected_sha256(const std::string& manifest) {
  for (const ManifestVolume& volume : manifest_volumes("formats/" + manifest)) {
    if (volume.name == "disk") {
      return volume.sha256;
    }
  }
  FAIL("no disk in the manifest " << manifest);
  return {};
}

// What QEMU makes of the snapshot.
std::string converted_sha256(const TemporaryDirectory& directory, const std::string& path,
                             const std::string& snapshot) {
  const std::string raw = directory / "snapshot.raw";
  must_run("qemu-img convert -O raw -l 'snapshot.name=" + snapshot + "' " + path + " " + raw);
  return must_run("sha256sum " + raw).substr(0, 64);
}

}  // namespace

TEST_CASE("qcow2: every sample image decodes to what QEMU decoded it to") {
  for (const Sample& sample : samples()) {
    CAPTURE(sample.manifest);
    const TemporaryDirectory directory;
    std::string image;
    for (const std::string& file : sample.files) {
      const std::string path = unpack_image(directory, "formats/" + file);
      image = image.empty() ? path : image;
    }
    CHECK(sha256_of(*open_qcow2(image)) == expected_sha256(sample.manifest));
  }
}

TEST_CASE("qcow2: internal snapshots are shown by name or by ID") {
  const TemporaryDirectory directory;
  const std::string path = unpack_image(directory, "formats/qcow2-snapshots.qcow2");
  const std::string first = converted_sha256(directory, path, "first");
  const std::string second = converted_sha256(directory, path, "second snap");
  CHECK(first != second);
  CHECK(sha256_of(*open_qcow2_snapshot(path, "first")) == first);
  CHECK(sha256_of(*open_qcow2_snapshot(path, "1")) == first);
  CHECK(sha256_of(*open_qcow2_snapshot(path, "second snap")) == second);
}

}  // namespace vimg::test
