#include "tests/formats/format_checks.h"

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/formats/test_context.h"
#include "tests/support/fault_disk.h"
#include "tests/support/host.h"

namespace vimg::test {
namespace {

constexpr std::uint64_t max_reads = 100'000;

std::vector<std::byte> read_all(const FormatDriver& driver, const DiskPtr& file) {
  TestContext context;
  context.cache = 1U << 20;
  return content_of(*driver.open(file, context));
}

}  // namespace

std::vector<std::byte> written_by_qemu(const std::string& format, const std::string& create,
                                       const std::vector<std::string>& commands) {
  const TemporaryDirectory directory;
  const std::string path = directory / "image";
  must_run("qemu-img create -q -f " + format + " " + path + " " + create);
  for (const std::string& command : commands) {
    must_run("qemu-io -f " + format + " -c '" + command + "' " + path);
  }
  return read_file(path);
}

std::vector<std::byte> decoded_by_qemu(const std::string& format,
                                       const std::vector<std::byte>& image) {
  const TemporaryDirectory directory;
  write_file(directory / "image", image);
  must_run("qemu-img convert -f " + format + " -O raw " + directory / "image" + " " +
           directory / "raw");
  return read_file(directory / "raw");
}

std::vector<std::byte> decoded(const FormatDriver& driver, const std::vector<std::byte>& image) {
  return read_all(driver, make_memory_disk(image));
}

void check_read_faults(const FormatDriver& driver, const std::vector<std::byte>& image) {
  const std::vector<std::byte> expected = decoded(driver, image);
  std::uint64_t failing = 0;
  for (; failing < max_reads; ++failing) {
    const auto file = std::make_shared<FaultDisk>(make_memory_disk(image));
    file->fail_read = failing;
    try {
      const bool is_right = read_all(driver, file) == expected;
      CHECK(is_right);
    } catch (const Error& error) {
      CHECK(error.code() == EIO);
    }
    if (file->reads <= failing) {
      break;
    }
  }
  CHECK(failing > 0);
  CHECK(failing < max_reads);
}

int error_of(const FormatDriver& driver, const std::vector<std::byte>& image) {
  try {
    decoded(driver, image);
    return 0;
  } catch (const Error& error) {
    return error.code();
  }
}

std::string message_of(const FormatDriver& driver, const std::vector<std::byte>& image) {
  try {
    decoded(driver, image);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

DiskPtr new_image(const FormatDriver& driver, std::uint64_t size, const char* options) {
  DiskPtr file = make_memory_disk({});
  NewImage wanted;
  wanted.size = size;
  wanted.options = CreateOptions(options);
  driver.create(*file, std::move(wanted));
  return file;
}

CheckReport check(const FormatDriver& driver, const DiskPtr& file, Repair repair) {
  TestContext context;
  return driver.check(file, context, repair);
}

}  // namespace vimg::test
