// What our check says of images is held against qemu-img check.
#include <algorithm>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "formats/image.h"
#include "formats/qcow2_check.h"
#include "formats/qcow2_map.h"
#include "formats/qcow2_refcounts.h"
#include "tests/formats/test_context.h"
#include "tests/support/fault_disk.h"
#include "tests/support/host.h"

namespace vimg::qcow2 {
namespace {

constexpr std::uint64_t cluster = 4096;

// An image with data, zeros, compressed clusters, two snapshots and a bitmap, where the options
// allow them.
std::string make_image(const test::TemporaryDirectory& directory, const std::string& options) {
  std::string path = directory / "image.qcow2";
  test::must_run(fmt::format(
      "qemu-img create -q -f qcow2 -o cluster_size={},{} {} 2M && qemu-io -c 'write -P 1 0 512k' "
      "-c 'write -z 64k 64k' -c 'write -P 3 1M 96k' -c 'discard 32k 16k' {} && "
      "qemu-img snapshot -c a {} && qemu-io -c 'write -P 4 16k 128k' {} && qemu-img snapshot -c b "
      "{} && qemu-io -c 'write -P 5 1500k 40k' {}",
      cluster, options, path, path, path, path, path, path));
  return path;
}

// qemu-img's numbers and ours must be equal; gives ours.
CheckReport compare_with_qemu(const std::string& path) {
  const auto result = test::run("qemu-img check --output=json " + path + " 2>/dev/null");
  const auto qemu = nlohmann::json::parse(result.output);
  const CheckReport ours = check_image(path, {}, Repair::nothing).value();
  CAPTURE(result.output);
  CHECK(ours.corruptions == qemu.value("corruptions", 0U));
  CHECK(ours.leaks == qemu.value("leaks", 0U));
  CHECK(ours.total_blocks == qemu.value("total-clusters", 0U));
  CHECK(ours.allocated_blocks == qemu.value("allocated-clusters", 0U));
  CHECK(ours.compressed_blocks == qemu.value("compressed-clusters", 0U));
  CHECK(ours.image_end == qemu.value("image-end-offset", 0U));
  return ours;
}

// The image as a test can damage it.
struct Opened {
  explicit Opened(const std::string& path)
      : file(open_host_file(path, Access::read_write, Locking::off, nullptr)),
        header(read_header(*file)),
        l1(read_l1(*file, header.l1_offset, header.l1_count)) {}

  std::uint64_t l2_table() const { return l1[0] & offset_mask; }
  std::uint64_t l2_word(std::uint64_t index) const {
    return read_object<be64>(*file, l2_table() + index * 8);
  }
  void set_l2_word(std::uint64_t index, std::uint64_t word) const {
    file->write(l2_table() + index * 8, bytes_of(be64(word)));
  }
  void set_refcount(std::uint64_t number, std::uint64_t count) const {
    Refcounts refcounts(header, file, 65536);
    refcounts.set(number, count);
    refcounts.write_blocks();
  }

  DiskPtr file;
  Header header;
  std::vector<std::uint64_t> l1;
};

}  // namespace

TEST_CASE("qcow2 check: sound images have qemu-img's numbers and no findings") {
  for (const char* options : {"compat=0.10", "compat=1.1", "lazy_refcounts=on", "refcount_bits=64",
                              "refcount_bits=2", "preallocation=metadata"}) {
    CAPTURE(options);
    const test::TemporaryDirectory directory;
    const CheckReport report = compare_with_qemu(make_image(directory, options));
    CHECK(report.findings.empty());
    CHECK(report.allocated_blocks > 0);
  }
}

TEST_CASE("qcow2 check: extended L2 entries, compressed clusters, bitmaps and data files") {
  const test::TemporaryDirectory directory;
  const std::string image = directory / "image.qcow2";
  test::must_run("qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=16k " + image +
                 " 8M && qemu-io -c 'write 1k 3k' -c 'write -z 96k 4k' -c 'write 1M 1M' " + image);
  CHECK(compare_with_qemu(image).findings.empty());
  const std::string compressed = directory / "compressed.qcow2";
  test::must_run("qemu-img convert -c -O qcow2 " + image + " " + compressed);
  CHECK(compare_with_qemu(compressed).compressed_blocks > 0);
  test::must_run("qemu-img bitmap --add " + compressed + " one && qemu-io -c 'write 5M 64k' " +
                 compressed);
  CHECK(compare_with_qemu(compressed).findings.empty());
  const std::string external = directory / "external.qcow2";
  test::must_run("qemu-img create -q -f qcow2 -o data_file=" + (directory / "data") + " " +
                 external + " 4M && qemu-io -c 'write 1M 256k' " + external);
  CHECK(compare_with_qemu(external).findings.empty());
}

TEST_CASE("qcow2 check: a count that is too high is a leak, and is mended without a loss") {
  const test::TemporaryDirectory directory;
  const std::string path = make_image(directory, "compat=1.1");
  const std::string digest =
      test::must_run("qemu-img convert -O raw " + path + " /dev/stdout | sha256sum");
  {
    const Opened image(path);
    const std::uint64_t end = image.file->size();
    image.file->resize(end + 2 * cluster);
    image.set_refcount(end / cluster, 3);
    image.set_refcount(end / cluster + 1, 1);
    image.set_refcount((image.l2_word(375) & offset_mask) / cluster, 2);
  }
  // Where the flag says "copied" and the count two, qemu-img sees a corruption until it is mended.
  CHECK(compare_with_qemu(path).leaks == 3);
  const CheckReport report = check_image(path, {}, Repair::leaks).value();
  CHECK(report.leaks_fixed == 3);
  CHECK(report.corruptions == 0);
  CHECK(compare_with_qemu(path).findings.empty());
  CHECK(test::must_run("qemu-img convert -O raw " + path + " /dev/stdout | sha256sum") == digest);
}

TEST_CASE("qcow2 check: corruptions are counted as qemu-img counts them, and not touched") {
  using Damage = void (*)(const Opened&);
  const std::vector<std::pair<const char*, Damage>> damages{
      {"a count of zero",
       [](const Opened& image) {
         image.set_refcount((image.l2_word(375) & offset_mask) / cluster, 0);
       }},
      {"two entries for one cluster",
       [](const Opened& image) { image.set_l2_word(376, image.l2_word(375)); }},
      {"the copied flag missing",
       [](const Opened& image) { image.set_l2_word(375, image.l2_word(375) & ~entry_copied); }},
      {"the copied flag where a snapshot shares",
       [](const Opened& image) { image.set_l2_word(256, image.l2_word(256) | entry_copied); }},
      {"a cluster far beyond the end",
       [](const Opened& image) { image.set_l2_word(375, (1ULL << 40) | entry_copied); }},
      {"data over the L1 table",
       [](const Opened& image) { image.set_l2_word(375, image.header.l1_offset | entry_copied); }},
      {"data over the refcount table",
       [](const Opened& image) {
         image.set_l2_word(375, image.header.refcount_table_offset | entry_copied);
       }},
      {"reserved bits",
       [](const Opened& image) { image.set_l2_word(375, image.l2_word(375) | 0x10); }},
  };
  for (const auto& [what, damage] : damages) {
    CAPTURE(what);
    const test::TemporaryDirectory directory;
    const std::string path = make_image(directory, "compat=1.1");
    damage(Opened(path));
    CHECK(compare_with_qemu(path).corruptions > 0);
    const auto before = test::read_file(path);
    const CheckReport report = check_image(path, {}, Repair::leaks).value();
    if (report.corruptions > 0) {
      CHECK(test::read_file(path) == before);
    }
  }
}

TEST_CASE("qcow2 check: every failing read is an error and never a crash") {
  const test::TemporaryDirectory directory;
  const auto content = test::read_file(make_image(directory, "compat=1.1"));
  for (std::uint64_t n = 0;; ++n) {
    const auto disk = std::make_shared<test::FaultDisk>(make_memory_disk(content));
    disk->fail_read = n;
    test::TestContext context;
    try {
      const CheckReport report = check(disk, context, Repair::nothing);
      CHECK(report.findings.empty());
      CHECK(n > 5);
      break;
    } catch (const Error& error) {
      CHECK(error.code() == EIO);
    }
  }
}

}  // namespace vimg::qcow2
