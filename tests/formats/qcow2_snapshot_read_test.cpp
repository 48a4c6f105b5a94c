// Internal snapshots of a sample image, against what QEMU decodes them to.
#include <string>

#include <doctest/doctest.h>

#include "tests/formats/qcow2_support.h"
#include "tests/support/host.h"
#include "tests/support/manifest.h"

namespace vimg::test {
namespace {

// What QEMU makes of the snapshot.
std::string converted_sha256(const TemporaryDirectory& directory, const std::string& path,
                             const std::string& snapshot) {
  const std::string raw = directory / "snapshot.raw";
  must_run("qemu-img convert -O raw -l 'snapshot.name=" + snapshot + "' " + path + " " + raw);
  return must_run("sha256sum " + raw).substr(0, 64);
}

}  // namespace

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
