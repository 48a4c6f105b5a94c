// VMDK: new images and checks, with QEMU as the judge.
#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/formats/vmdk_support.h"

namespace vimg::test {
namespace {

NewImage asked(std::uint64_t size, std::string_view options) {
  NewImage image;
  image.size = size;
  image.options = CreateOptions(options);
  return image;
}

CheckReport checked(const DiskPtr& file, Repair repair = Repair::nothing) {
  TestContext context({}, Access::read_write);
  return vmdk_driver.check(file, context, repair);
}

DiskPtr opened(const DiskPtr& file) {
  TestContext context({}, Access::read_write);
  return vmdk_driver.open(file, context);
}

}  // namespace

TEST_CASE("vmdk: what is written into a new image is what QEMU reads") {
  for (const char* options : {"", "zeroed_grain=on", "compat6=on,adapter_type=lsilogic"}) {
    CAPTURE(options);
    std::vector<std::byte> content = patchy(3 * mib + 512, 5);
    const DiskPtr file = make_memory_disk({});
    vmdk_driver.create(*file, asked(content.size(), options));
    {
      const DiskPtr disk = opened(file);
      disk->write(0, content);
      disk->write_zeros(70000, 200000);
      std::fill_n(content.begin() + 70000, 200000, std::byte{0});
    }
    const TemporaryDirectory directory;
    write_file(directory / "image.vmdk", content_of(*file));
    must_run("qemu-img check -f vmdk " + directory / "image.vmdk");
    const bool is_same = qemu_content(directory, "image.vmdk") == content;
    CHECK(is_same);
    const CheckReport report = checked(file);
    CHECK(report.findings.empty());
    CHECK(report.allocated_blocks > 0);
  }
}

TEST_CASE("vmdk: a stream is what QEMU reads, and we") {
  const std::vector<std::byte> content = patchy(40 * mib + 512, 6);
  const DiskPtr file = make_memory_disk({});
  const auto stream = vmdk_driver.stream(file, asked(content.size(), "subformat=streamOptimized"));
  for (std::size_t at = 0; at < content.size(); at += stream->block_size()) {
    const auto block = ConstBytes(content).subspan(
        at, std::min<std::size_t>(stream->block_size(), content.size() - at));
    if (!all_zero(block)) {
      stream->append(at, stream->encode(block));
    }
  }
  stream->finish();
  const TemporaryDirectory directory;
  write_file(directory / "image.vmdk", content_of(*file));
  must_run("qemu-img check -f vmdk " + directory / "image.vmdk");
  const bool is_same = qemu_content(directory, "image.vmdk") == content;
  CHECK(is_same);
  const bool is_ours = content_of(*opened(file)) == content;
  CHECK(is_ours);
  CHECK(checked(file).findings.empty());
}

TEST_CASE("vmdk: check finds entries that lead nowhere, twice, or differ from their copy") {
  const std::uint64_t table = 27 * vmdk::sector;
  const std::uint64_t copy = 22 * vmdk::sector;
  CHECK(checked(make_memory_disk(sparse_by_hand())).corruptions == 0);
  for (const std::uint32_t entry : {4000U, 72U}) {
    CAPTURE(entry);
    FileBuilder file(0);
    file.bytes = sparse_by_hand();
    file.put(table, le32(entry));
    file.put(copy, le32(entry));
    CHECK(checked(make_memory_disk(file.bytes)).corruptions == 1);
  }
  FileBuilder file(0);
  file.bytes = sparse_by_hand();
  file.put(copy, le32(0));
  CHECK(checked(make_memory_disk(file.bytes)).corruptions == 1);
}

TEST_CASE("vmdk: check ends soon when every entry of a large directory leads to one table") {
  constexpr std::uint64_t tables = 1U << 14;
  FileBuilder file(0);
  file.bytes = sparse_by_hand();
  const std::uint64_t directory = file.bytes.size();
  file.bytes.resize(directory + tables * sizeof(le32));
  for (std::uint64_t i = 0; i < tables; ++i) {
    file.put(directory + i * sizeof(le32), le32(27));
  }
  file.put(8, le32(0));
  file.put(12, le64(tables * 4096));
  file.put(56, le64(directory / vmdk::sector));
  const CheckReport report = checked(make_memory_disk(file.bytes));
  CHECK(report.corruptions > 1);
  CHECK(report.allocated_blocks <= file.bytes.size() / sizeof(le32));
}

TEST_CASE("vmdk: grains that nothing refers to are given back") {
  std::vector<std::byte> image = sparse_by_hand();
  const std::size_t size = image.size();
  image.resize(size + 2 * 4096, std::byte{9});
  const DiskPtr file = make_memory_disk(image);
  CHECK(checked(file).leaks == 2);
  CHECK(checked(file, Repair::leaks).leaks_fixed == 2);
  CHECK(file->size() == size);
  CHECK(checked(file).leaks == 0);
}

}  // namespace vimg::test
