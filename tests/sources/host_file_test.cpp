#include "sources/host_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/file_descriptor.h"
#include "tests/support/host.h"

namespace vimg {
namespace {

using test::TemporaryDirectory;

// The errno and message of what `action` throws; {0, ""} when it does not.
template <typename Action>
std::pair<int, std::string> failure(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {0, ""};
}

std::vector<std::byte> pattern(std::size_t length) {
  std::vector<std::byte> content(length);
  for (std::size_t i = 0; i < length; ++i) {
    content[i] = std::byte(i * 7 + i / 251 + 1);
  }
  return content;
}

// A file of 1 MiB that no byte pattern repeats in at once.
struct Sample {
  TemporaryDirectory directory;
  std::string path = directory / "sample.raw";
  std::vector<std::byte> content = pattern(1U << 20);

  Sample() { test::write_file(path, content); }
  DiskPtr open(Access access) const { return open_host_file(path, access, Locking::on, nullptr); }
};

std::vector<std::byte> read_all(const Disk& disk) {
  std::vector<std::byte> content(disk.size());
  disk.read(0, content);
  return content;
}

TEST_CASE("host file: reads give the bytes of the file") {
  const Sample sample;
  const DiskPtr disk = sample.open(Access::read_only);
  CHECK(disk->size() == sample.content.size());
  CHECK(disk->sector_size() == 512);
  CHECK(read_all(*disk) == sample.content);
  std::vector<std::byte> part(777);
  disk->read(12345, part);
  CHECK(std::equal(part.begin(), part.end(), sample.content.begin() + 12345));
}

TEST_CASE("host file: a file opened read-only refuses to be written, zeroed, cut") {
  const Sample sample;
  const DiskPtr disk = sample.open(Access::read_only);
  CHECK_FALSE(disk->writable());
  CHECK(failure([&] { disk->write(0, bytes_of("x")); }).first == EROFS);
  CHECK(failure([&] { disk->write_zeros(0, 1); }).first == EROFS);
  CHECK(failure([&] { disk->resize(10); }).first == EROFS);
  CHECK(test::read_file(sample.path) == sample.content);
}

TEST_CASE("host file: what was written is in the file") {
  Sample sample;
  const DiskPtr disk = sample.open(Access::read_write);
  disk->write(4095, bytes_of("across a block"));
  disk->flush();
  std::ranges::copy(bytes_of("across a block"), sample.content.begin() + 4095);
  CHECK(test::read_file(sample.path) == sample.content);
}

TEST_CASE("host file: the last byte can be written, the one after it cannot") {
  const Sample sample;
  const DiskPtr disk = sample.open(Access::read_write);
  CHECK_NOTHROW(disk->write(sample.content.size() - 1, bytes_of("x")));
  CHECK(failure([&] { disk->write(sample.content.size(), bytes_of("x")); }).first == EINVAL);
}

TEST_CASE("host file: zeros are written to exactly their range") {
  Sample sample;
  const DiskPtr disk = sample.open(Access::read_write);
  disk->write_zeros(1000, 300001);
  std::fill_n(sample.content.begin() + 1000, 300001, std::byte{0});
  CHECK(test::read_file(sample.path) == sample.content);
  CHECK(std::filesystem::file_size(sample.path) == sample.content.size());
}

TEST_CASE("host file: a discarded range becomes a hole and keeps the size") {
  const Sample sample;
  const DiskPtr disk = sample.open(Access::read_write);
  CHECK(disk->extent(65536, 65536).kind == Extent::Kind::data);
  disk->discard(65536, 65536);
  CHECK(std::filesystem::file_size(sample.path) == sample.content.size());
  const Extent extent = disk->extent(65536, 65536);
  CHECK(extent.kind == Extent::Kind::hole);
  CHECK(extent.length == 65536);
}

TEST_CASE("host file: extents alternate as data and holes lie, and name the file") {
  const TemporaryDirectory directory;
  const std::string path = directory / "sparse.raw";
  const DiskPtr disk = create_host_file(path, Locking::on);
  disk->resize(1U << 30);
  disk->write(1U << 20, pattern(65536));
  CHECK(disk->extent(0, 1U << 30).kind == Extent::Kind::hole);
  CHECK(disk->extent(0, 1U << 30).length == 1U << 20);
  const Extent data = disk->extent(1U << 20, 1U << 30);
  CHECK(data.kind == Extent::Kind::data);
  CHECK(data.length == 65536);
  CHECK(data.file_offset == 1U << 20);
  std::vector<std::byte> through_fd(16);
  CHECK(pread(data.fd, through_fd.data(), 16, off_t(data.file_offset)) == 16);
  CHECK(through_fd == pattern(16));
  const Extent rest = disk->extent((1U << 20) + 65536, ~0ULL);
  CHECK(rest.kind == Extent::Kind::hole);
  CHECK(rest.length == (1U << 30) - (1U << 20) - 65536);
}

TEST_CASE("host file: an extent is never longer than asked for, nor shorter than one byte") {
  const Sample sample;
  const DiskPtr disk = sample.open(Access::read_only);
  CHECK(disk->extent(10, 100).length == 100);
  CHECK(disk->extent(20, 7).length == 7);
  CHECK(disk->extent(disk->size() - 1, 100).length == 1);
  CHECK(disk->extent(disk->size(), 100).length == 0);
}

TEST_CASE("host file: a file that another process cut fails to read and says where it ends") {
  const Sample sample;
  const DiskPtr disk = sample.open(Access::read_only);
  REQUIRE(truncate(sample.path.c_str(), 0x1800) == 0);
  std::vector<std::byte> out(0x1000);
  CHECK_NOTHROW(disk->read(0x800, out));
  const auto [code, message] = failure([&] { disk->read(0x1000, out); });
  CHECK(code == EIO);
  CHECK(message == sample.path +
                       ": file ends at 0x1800, it was 0x100000 bytes long before; did another "
                       "process cut it");
}

TEST_CASE("host file: a resized file has zeros at its new end") {
  Sample sample;
  const DiskPtr disk = sample.open(Access::read_write);
  disk->resize(sample.content.size() + 5000);
  sample.content.resize(sample.content.size() + 5000);
  CHECK(read_all(*disk) == sample.content);
  disk->resize(100);
  CHECK(disk->size() == 100);
  CHECK(std::filesystem::file_size(sample.path) == 100);
}

TEST_CASE("host file: no file can be longer than the host's offsets") {
  const Sample sample;
  const DiskPtr disk = sample.open(Access::read_write);
  CHECK(failure([&] { disk->resize(1ULL << 63); }).first == EFBIG);
  CHECK(disk->size() == sample.content.size());
}

TEST_CASE("host file: reads of what stays go on while the file grows and shrinks") {
  const Sample sample;
  const DiskPtr disk = sample.open(Access::read_write);
  std::thread resizer([&] {
    for (int i = 0; i < 200; ++i) {
      disk->resize(sample.content.size() + (i % 2 == 0 ? 65536 : 0));
    }
  });
  std::vector<std::byte> out(4096);
  for (int i = 0; i < 500; ++i) {
    disk->read(sample.content.size() - out.size(), out);
    REQUIRE(std::equal(out.begin(), out.end(), sample.content.end() - 4096));
  }
  resizer.join();
}

TEST_CASE("host file: a missing file is ENOENT and named") {
  const auto [code, message] =
      failure([] { open_host_file("/nowhere/x.raw", Access::read_only, Locking::on, nullptr); });
  CHECK(code == ENOENT);
  CHECK(message == "/nowhere/x.raw: cannot be opened: No such file or directory");
}

TEST_CASE("host file: directories, FIFOs and character devices are refused without waiting") {
  const TemporaryDirectory directory;
  REQUIRE(mkfifo((directory / "fifo").c_str(), 0600) == 0);
  for (const std::string& path : {directory.path(), directory / "fifo", std::string("/dev/null")}) {
    const auto [code, message] =
        failure([&] { open_host_file(path, Access::read_only, Locking::on, nullptr); });
    CHECK(code == EINVAL);
    CHECK(message == path + ": is neither a regular file nor a block device");
  }
}

TEST_CASE("host file: what the host forbids is EPERM, as EACCES means a refused reference") {
  const Sample sample;
  REQUIRE(chmod(sample.path.c_str(), 0) == 0);
  const bool root = geteuid() == 0;
  if (root) {
    REQUIRE(chmod(sample.directory.path().c_str(), 0755) == 0);
    REQUIRE(seteuid(65534) == 0);
  }
  const int code = failure([&] { sample.open(Access::read_only); }).first;
  if (root) {
    REQUIRE(seteuid(0) == 0);
  }
  CHECK(code == EPERM);
}

TEST_CASE("host file: an existing file is not created again") {
  const Sample sample;
  CHECK(failure([&] { create_host_file(sample.path, Locking::on); }).first == EEXIST);
  CHECK(test::read_file(sample.path) == sample.content);
}

TEST_CASE("host file: a full file system is ENOSPC and says where") {
  const TemporaryDirectory directory;
  if (test::run("mount -t tmpfs -o size=64k none " + directory.path()).exit_code != 0) {
    MESSAGE("skipped: needs to mount a tmpfs");
    return;
  }
  std::pair<int, std::string> result;
  {
    const DiskPtr disk = create_host_file(directory / "full.raw", Locking::on);
    disk->resize(1U << 20);
    result = failure([&] { disk->write(0, pattern(1U << 20)); });
  }
  test::must_run("umount " + directory.path());
  CHECK(result.first == ENOSPC);
  CHECK(result.second.find("full.raw: cannot write 0x") != std::string::npos);
}

TEST_CASE("host file: a flush that failed is never forgotten") {
  const Sample sample;
  const DiskPtr disk = sample.open(Access::read_write);
  const int fd = disk->extent(0, 1).fd;
  const FileDescriptor good(dup(fd));
  const FileDescriptor unflushable(open("/", O_PATH));
  CHECK_NOTHROW(disk->flush());
  REQUIRE(dup2(unflushable.get(), fd) == fd);
  const auto [code, message] = failure([&] { disk->flush(); });
  REQUIRE(dup2(good.get(), fd) == fd);
  CHECK(code == EBADF);
  CHECK(message.find("cannot be flushed, what was written may be lost") != std::string::npos);
  CHECK(failure([&] { disk->flush(); }) == std::pair(code, message));
}

TEST_CASE("locate: the directory is where references of the file are looked for") {
  CHECK(locate("a.qcow2").directory == ".");
  CHECK(locate("d/a.qcow2").directory == "d");
  CHECK(locate("/a.qcow2").directory == "/");
  CHECK(locate("/d/e/a.qcow2").directory == "/d/e");
}

}  // namespace
}  // namespace vimg
