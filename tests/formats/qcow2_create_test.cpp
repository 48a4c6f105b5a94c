#include "formats/qcow2_create.h"

#include <cerrno>
#include <string>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/formats/qcow2_support.h"
#include "tests/support/host.h"

namespace vimg::test {
namespace {

// The overlay's file beside a raw backing file that exists, so that qemu-img can open both.
std::string make_overlay(const TemporaryDirectory& directory, std::uint64_t size) {
  must_run("truncate -s 1M " + directory / "base.raw");
  const DiskPtr file = make_memory_disk({});
  create_qcow2_overlay(*file, "base.raw", "raw", size);
  write_file(directory / "overlay.qcow2", content_of(*file));
  return directory / "overlay.qcow2";
}

}  // namespace

TEST_CASE("qcow2 create: qemu-img finds nothing to complain of in an overlay of any size") {
  const TemporaryDirectory directory;
  for (const std::uint64_t size : {0ULL, 512ULL, 10ULL << 20, (64ULL << 40) + 512, 1ULL << 51}) {
    const std::string path = make_overlay(directory, size);
    CHECK(must_run("qemu-img check " + path).find("No errors") != std::string::npos);
    const std::string info = must_run("qemu-img info " + path);
    CHECK(info.find("(" + std::to_string(size) + " bytes)") != std::string::npos);
    CHECK(info.find("backing file: base.raw") != std::string::npos);
    CHECK(info.find("backing file format: raw") != std::string::npos);
  }
}

TEST_CASE("qcow2 create: QEMU writes to an overlay and finds it clean afterwards") {
  const TemporaryDirectory directory;
  const std::string path = make_overlay(directory, 10U << 20);
  must_run("qemu-io -c 'write -P 7 1000k 100k' " + path);
  must_run("qemu-io -c 'read -P 7 1000k 100k' " + path);
  CHECK(must_run("qemu-img check " + path).find("No errors") != std::string::npos);
}

TEST_CASE("qcow2 create: a backing name of 1023 bytes fits, one of 1024 is refused") {
  const DiskPtr file = make_memory_disk({});
  CHECK_NOTHROW(create_qcow2_overlay(*file, std::string(1023, 'b'), "raw", 4096));
  const DiskPtr other = make_memory_disk({});
  CHECK_THROWS_WITH_AS(create_qcow2_overlay(*other, std::string(1024, 'b'), "raw", 4096),
                       "qcow2: backing file name of 1024 bytes; at most 1023 are possible", Error);
  CHECK(other->size() == 0);
}

TEST_CASE("qcow2 create: a size beyond the largest L1 table is refused") {
  const DiskPtr file = make_memory_disk({});
  CHECK_THROWS_AS(create_qcow2_overlay(*file, "base", "raw", (1ULL << 51) + 1), Error);
}

TEST_CASE("qcow2 create: a file that holds something is refused") {
  const DiskPtr file = make_memory_disk(std::vector<std::byte>(512));
  CHECK_THROWS_AS(create_qcow2_overlay(*file, "base", "raw", 4096), Error);
}

}  // namespace vimg::test
