// Block devices, on loop devices: needs root, else skips aloud.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "sources/host_file.h"
#include "tests/support/host.h"

namespace vimg {
namespace {

// A loop device over a file of 1 MiB of ones.
class LoopDevice {
 public:
  explicit LoopDevice(const std::string& options) {
    test::write_file(file(), std::vector<std::byte>(1U << 20, std::byte{1}));
    const auto result = test::run("losetup --find --show " + options + " " + file());
    if (result.exit_code == 0) {
      path_ = result.output.substr(0, result.output.find('\n'));
    } else {
      MESSAGE("skipped: needs loop devices");
    }
  }
  ~LoopDevice() {
    if (!path_.empty()) {
      test::run("losetup -d " + path_);
    }
  }
  LoopDevice(const LoopDevice&) = delete;
  LoopDevice& operator=(const LoopDevice&) = delete;

  explicit operator bool() const { return !path_.empty(); }
  const std::string& path() const { return path_; }
  std::string file() const { return directory_ / "file"; }

 private:
  test::TemporaryDirectory directory_;
  std::string path_;
};

std::vector<std::byte> read_all(const Disk& disk) {
  std::vector<std::byte> content(disk.size());
  disk.read(0, content);
  return content;
}

TEST_CASE("block device: size and sector size are the device's") {
  const LoopDevice device("-b 4096");
  if (device) {
    const DiskPtr disk = open_host_file(device.path(), Access::read_only, Locking::on, nullptr);
    CHECK(disk->size() == 1U << 20);
    CHECK(disk->sector_size() == 4096);
    CHECK(disk->extent(0, 1U << 20).kind == Extent::Kind::data);
  }
}

TEST_CASE("block device: writes, zeros and discards reach it, aligned to sectors or not") {
  const LoopDevice device("");
  if (!device) {
    return;
  }
  std::vector<std::byte> expected(1U << 20, std::byte{1});
  {
    const DiskPtr disk = open_host_file(device.path(), Access::read_write, Locking::on, nullptr);
    disk->write(1000, bytes_of("written"));
    std::ranges::copy(bytes_of("written"), expected.begin() + 1000);
    for (const auto& [offset, length] : {std::pair(4096, 65536), std::pair(100001, 333)}) {
      disk->write_zeros(std::uint64_t(offset), std::uint64_t(length));
      std::fill_n(expected.begin() + offset, length, std::byte{0});
    }
    CHECK_NOTHROW(disk->discard(200001, 100));
    CHECK(read_all(*disk) == expected);
    disk->flush();
  }
  CHECK(test::read_file(device.file()) == expected);
}

TEST_CASE("block device: cannot be resized") {
  const LoopDevice device("");
  if (device) {
    const DiskPtr disk = open_host_file(device.path(), Access::read_write, Locking::on, nullptr);
    try {
      disk->resize(512);
      FAIL("resized");
    } catch (const Error& error) {
      CHECK(error.code() == EOPNOTSUPP);
    }
  }
}

TEST_CASE("block device: one that is mounted is read and not written") {
  const LoopDevice device("");
  if (!device) {
    return;
  }
  const test::TemporaryDirectory mountpoint;
  test::must_run("mkfs.ext4 -q " + device.path());
  if (test::run("mount " + device.path() + " " + mountpoint.path()).exit_code != 0) {
    MESSAGE("skipped: needs to mount");
    return;
  }
  int code = 0;
  try {
    open_host_file(device.path(), Access::read_write, Locking::on, nullptr);
  } catch (const Error& error) {
    code = error.code();
  }
  CHECK_NOTHROW(open_host_file(device.path(), Access::read_only, Locking::on, nullptr));
  test::must_run("umount " + mountpoint.path());
  CHECK(code == EBUSY);
}

}  // namespace
}  // namespace vimg
