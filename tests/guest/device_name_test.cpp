#include "guest/device_name.h"

#include <utility>

#include <doctest/doctest.h>

namespace vimg {
namespace {

using Parsed = std::pair<std::size_t, unsigned>;  // disk, partition; 0 for none

std::optional<Parsed> parsed(std::string_view path) {
  const auto name = parse_device_name(path);
  return name ? std::optional(Parsed(name->disk, name->partition.value_or(0))) : std::nullopt;
}

TEST_CASE("device name: every driver's spelling is known") {
  CHECK(parsed("/dev/sda") == Parsed(0, 0));
  CHECK(parsed("/dev/sda1") == Parsed(0, 1));
  CHECK(parsed("/dev/vdb12") == Parsed(1, 12));
  CHECK(parsed("/dev/hdc3") == Parsed(2, 3));
  CHECK(parsed("/dev/xvda1") == Parsed(0, 1));
  CHECK(parsed("/dev/ubdb1") == Parsed(1, 1));
  CHECK(parsed("/dev/nvme0n1") == Parsed(0, 0));
  CHECK(parsed("/dev/nvme1n1p2") == Parsed(1, 2));
  CHECK(parsed("/dev/mmcblk0p1") == Parsed(0, 1));
}

TEST_CASE("device name: disks go on after z") {
  CHECK(parsed("/dev/sdz1") == Parsed(25, 1));
  CHECK(parsed("/dev/sdaa1") == Parsed(26, 1));
  CHECK(parsed("/dev/sdzzz") == Parsed(18277, 0));
  CHECK_FALSE(parsed("/dev/sdaaaa"));
}

TEST_CASE("device name: other names are none") {
  for (const char* name :
       {"", "sda1", "/dev/", "/dev/sd", "/dev/sd1", "/dev/sda0", "/dev/sda01", "/dev/sda-1",
        "/dev/sda1x", "/dev/sda99999999999", "/dev/sr0", "/dev/vg0/root", "/dev/mapper/vg0-root",
        "/dev/nvme0n2p1", "/dev/nvme0n1p", "/dev/mmcblk0boot0", "/dev/SDA1"}) {
    CAPTURE(name);
    CHECK_FALSE(parsed(name));
  }
}

TEST_CASE("device name: hyphens are doubled under /dev/mapper") {
  CHECK(mapper_name("vg0", "root") == "vg0-root");
  CHECK(mapper_name("debian-vg", "a--b") == "debian--vg-a----b");
}

TEST_CASE("device name: udev's escapes are bytes") {
  CHECK(decode_udev("EFI\\x20System") == "EFI System");
  CHECK(decode_udev("a\\x2fb\\x5cx20") == "a/b\\x20");
  CHECK(decode_udev("a\\x2") == "a\\x2");
  CHECK(decode_udev("\\xzz\\x4g") == "\\xzz\\x4g");
}

}  // namespace
}  // namespace vimg
