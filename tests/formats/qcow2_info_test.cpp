// What `vimg info` is told of a qcow2 image, held against `qemu-img info`.
#include <algorithm>
#include <cstddef>
#include <string>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "formats/qcow2_layout.h"
#include "sources/host_file.h"
#include "tests/formats/qcow2_support.h"
#include "tests/support/host.h"

namespace vimg::test {
namespace {

ImageInfo info_of(const std::string& path) {
  return qcow2_driver.info(*open_host_file(path, Access::read_only, Locking::off, nullptr));
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("qcow2 info: every fact is one that qemu-img tells in the same words") {
  const TemporaryDirectory directory;
  const std::string in = "cd " + directory.path() + " && ";
  for (const char* options :
       {"", "-o compat=0.10", "-o cluster_size=2M,extended_l2=on,compression_type=zstd",
        "-o lazy_refcounts=on,refcount_bits=1", "-o data_file=x.data,data_file_raw=on"}) {
    CAPTURE(options);
    must_run(in + "rm -f x.data && qemu-img create -q -f qcow2 " + options + " image.qcow2 5M");
    std::string expected = must_run(in + "qemu-img info image.qcow2");
    // The one that qemu-img spells with an underline.
    std::ranges::replace(expected, '_', ' ');
    const ImageInfo info = info_of(directory / "image.qcow2");
    CHECK(info.format == "qcow2");
    CHECK(info.virtual_size == 5U << 20);
    CHECK(info.facts.size() >= 4);
    for (const auto& [name, value] : info.facts) {
      if (name != "dirty") {
        CHECK_MESSAGE(contains(expected, name + ": " + value), name << ": " << value);
      }
    }
  }
}

TEST_CASE("qcow2 info: names of other files and snapshots are given as the image has them") {
  const TemporaryDirectory directory;
  const std::string in = "cd " + directory.path() + " && ";
  must_run(in + "qemu-img create -q -f qcow2 -u -b ../some/base.img -F raw image.qcow2 1M");
  CHECK(info_of(directory / "image.qcow2").backing_file == "../some/base.img");
  CHECK(info_of(directory / "image.qcow2").backing_format == "raw");
  const ImageInfo info = info_of(unpack_image(directory, "formats/qcow2-snapshots.qcow2"));
  REQUIRE(info.snapshots.size() == 2);
  CHECK(info.snapshots[0].id == "1");
  CHECK(info.snapshots[0].name == "first");
  CHECK(info.snapshots[1].name == "second snap");
  CHECK(info.snapshots[1].disk_size == 41943040);
}

TEST_CASE("qcow2 info: an encrypted image tells all but its content") {
  std::vector<std::byte> image = made_by_qemu("image.qcow2 1M");
  store(Bytes(image), offsetof(qcow2::RawHeader, crypt_method), be32(2));
  const DiskPtr file = make_memory_disk(std::move(image));
  const ImageInfo info = qcow2_driver.info(*file);
  CHECK(std::ranges::find(info.facts, std::pair<std::string, std::string>("encrypted", "true")) !=
        info.facts.end());
  TestContext context;
  CHECK_THROWS_WITH_AS(qcow2_driver.open(file, context),
                       "qcow2: LUKS encryption is not supported yet", Error);
}

}  // namespace vimg::test
