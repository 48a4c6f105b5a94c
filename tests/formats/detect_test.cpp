#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "formats/driver.h"
#include "formats/foreign.h"
#include "tests/support/fault_disk.h"

namespace vimg {
namespace {

DiskPtr disk_with(std::size_t offset, std::string_view text, std::size_t size = 4096) {
  std::vector<std::byte> content(size);
  std::ranges::copy(bytes_of(text), content.begin() + std::ptrdiff_t(offset));
  return make_memory_disk(std::move(content));
}

TEST_CASE("detection: what nobody claims is raw, empty files too") {
  CHECK(&detect_format(*disk_with(0, "")) == &raw_driver);
  CHECK(&detect_format(*make_memory_disk({})) == &raw_driver);
  CHECK(&detect_format(*disk_with(0, "x", 1)) == &raw_driver);
}

TEST_CASE("detection: a format without a driver is refused by name, not shown as raw") {
  const DiskPtr disk = disk_with(0, std::string_view("QFI\xfb\0\0\0\1", 8));
  try {
    detect_format(*disk);
    FAIL("detected");
  } catch (const Error& error) {
    CHECK(error.code() == EOPNOTSUPP);
    CHECK(std::string(error.what()) ==
          "format: file is a qcow image, which is not supported; --format raw shows its bytes as "
          "they are");
  }
}

TEST_CASE("detection: foreign formats are known by QEMU's signatures") {
  CHECK(foreign_format(*disk_with(0, std::string_view("QFI\xfb\0\0\0\1", 8))) ==
        std::string("qcow"));
  CHECK(foreign_format(*disk_with(0, std::string_view("QFI\xfb\0\0\0\2", 8))) == nullptr);
  CHECK(foreign_format(*disk_with(1, "KDMV")) == nullptr);
  CHECK(foreign_format(*disk_with(0, "KDM", 3)) == nullptr);
}

TEST_CASE("detection: a file that is two formats is refused and both are named") {
  const DiskPtr disk = disk_with(0, std::string_view("QFI\xfb\0\0\0\1", 8));
  static constexpr FormatDriver first{"first", "", [](const Disk&) { return true; }, {}, {}};
  static constexpr FormatDriver never{"never", "", [](const Disk&) { return false; }, {}, {}};
  const std::array<const FormatDriver*, 2> among{&never, &first};
  CHECK(claimed_formats(*disk, among) == std::vector<std::string>{"first", "qcow"});
}

TEST_CASE("detection: a qcow2 header with a VDI signature in it is refused") {
  std::vector<std::byte> content(65536);
  std::ranges::copy(bytes_of(std::string_view("QFI\xfb\0\0\0\3", 8)), content.begin());
  std::ranges::copy(bytes_of("\x7f\x10\xda\xbe"), content.begin() + 0x40);
  try {
    detect_format(*make_memory_disk(content));
    FAIL("detected");
  } catch (const Error& error) {
    CHECK(exit_code_for(error) == ExitCode::refused);
    CHECK(std::string(error.what()) ==
          "format: file is both qcow2 and vdi; say which with --format");
  }
}

TEST_CASE("detection: a file that cannot be read is an error, not raw") {
  const auto disk = std::make_shared<test::FaultDisk>(disk_with(0, "KDMV"));
  for (std::uint64_t n = 0;; ++n) {
    disk->reads = 0;
    disk->fail_read = n;
    try {
      foreign_format(*disk);
      CHECK(n > 0);
      break;
    } catch (const Error& error) {
      CHECK(error.code() == EIO);
    }
  }
}

}  // namespace
}  // namespace vimg
