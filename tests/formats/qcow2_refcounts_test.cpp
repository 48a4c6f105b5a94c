#include "formats/qcow2_refcounts.h"

#include <doctest/doctest.h>

#include "disk/memory_disk.h"
#include "tests/formats/qcow2_support.h"

namespace vimg::qcow2 {
namespace {

struct Image {
  DiskPtr file;
  Header header;
};

Image image_with_bits(unsigned bits) {
  const DiskPtr file = make_memory_disk(test::made_by_qemu(
      "-o cluster_size=512,refcount_bits=" + std::to_string(bits) + " image.qcow2 64k"));
  return {file, read_header(*file)};
}

}  // namespace

TEST_CASE("qcow2 refcounts: every width holds its largest count and leaves its neighbours alone") {
  for (unsigned bits = 1; bits <= 64; bits *= 2) {
    CAPTURE(bits);
    const Image image = image_with_bits(bits);
    Refcounts refcounts(image.header, image.file, 65536);
    const std::uint64_t most = bits == 64 ? ~std::uint64_t{0} : (1ULL << bits) - 1;
    CHECK(refcounts.max_count() == most);
    CHECK(refcounts.get(0) == 1);
    CHECK(refcounts.get(40) == 0);
    refcounts.set(40, most);
    CHECK(refcounts.get(39) == 0);
    CHECK(refcounts.get(40) == most);
    CHECK(refcounts.get(41) == 0);
    refcounts.set(41, most);
    refcounts.set(40, 0);
    CHECK(refcounts.get(40) == 0);
    CHECK(refcounts.get(41) == most);
  }
}

TEST_CASE("qcow2 refcounts: changes are in the file once they were written") {
  const Image image = image_with_bits(16);
  {
    Refcounts refcounts(image.header, image.file, 65536);
    refcounts.set(50, 3);
    CHECK(refcounts.changed_bytes() == 512);
    refcounts.write_blocks();
    CHECK(refcounts.changed_bytes() == 0);
  }
  CHECK(Refcounts(image.header, image.file, 65536).get(50) == 3);
}

TEST_CASE("qcow2 refcounts: a run goes to the first cluster that differs, or to the slice's end") {
  const Image image = image_with_bits(16);
  Refcounts refcounts(image.header, image.file, 65536);
  refcounts.set(100, 1);
  const Refcounts::Run before = refcounts.run(90);
  CHECK(before.free);
  CHECK(before.count == 10);
  const Refcounts::Run after = refcounts.run(101);
  CHECK(after.free);
  CHECK(after.count == 256 - 101);
}

TEST_CASE("qcow2 refcounts: a region without a block has only counts of 0") {
  const Image image = image_with_bits(64);
  Refcounts refcounts(image.header, image.file, 65536);
  CHECK(refcounts.region_of(63) == 0);
  CHECK(refcounts.region_of(64) == 1);
  CHECK(refcounts.block(1) == 0);
  CHECK(refcounts.get(64) == 0);
  CHECK(refcounts.get(~std::uint64_t{0} / 512) == 0);
}

}  // namespace vimg::qcow2
