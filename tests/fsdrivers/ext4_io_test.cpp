#include "fsdrivers/ext4_io.h"

#include <cerrno>
#include <functional>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/support/fault_disk.h"
#include "tests/support/host.h"

namespace vimg {
namespace {

DiskPtr fresh_ext4() {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "image";
  test::must_run("mke2fs -q -F -t ext4 " + path + " 4M");
  return make_memory_disk(test::read_file(path));
}

int code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return 0;
}

TEST_CASE("ext4 io: libext2fs opens, changes and reopens a file system on a Disk") {
  const DiskPtr disk = fresh_ext4();
  {
    const Ext2Handle handle = open_ext2fs(disk, EXT2_FLAG_RW);
    handle.check(ext2fs_read_bitmaps(handle.get()), "bitmaps");
    handle.check(ext2fs_mkdir(handle.get(), EXT2_ROOT_INO, 0, "made"), "mkdir");
    handle.check(ext2fs_flush(handle.get()), "flush");
  }
  const Ext2Handle handle = open_ext2fs(disk, 0);
  ext2_ino_t found = 0;
  handle.check(ext2fs_namei(handle.get(), EXT2_ROOT_INO, EXT2_ROOT_INO, "made", &found), "namei");
  CHECK(found != 0);
}

TEST_CASE("ext4 io: what the Disk threw is thrown on, for every read that fails while opening") {
  const auto disk = std::make_shared<test::FaultDisk>(fresh_ext4());
  { const Ext2Handle counted = open_ext2fs(disk, 0); }
  const std::uint64_t reads = disk->reads;
  CHECK(reads >= 2);
  for (std::uint64_t n = 0; n < reads; ++n) {
    disk->reads = 0;
    disk->fail_read = n;
    CHECK(code_of([&] { open_ext2fs(disk, 0); }) == EIO);
  }
}

TEST_CASE("ext4 io: a failed write is thrown by the next check, whatever the library returned") {
  const auto disk = std::make_shared<test::FaultDisk>(fresh_ext4());
  const Ext2Handle handle = open_ext2fs(disk, EXT2_FLAG_RW);
  disk->fail_write = 0;
  ext2fs_mark_super_dirty(handle.get());
  static_cast<void>(ext2fs_flush(handle.get()));
  CHECK(code_of([&] { handle.check(0, "flush"); }) == EIO);
  CHECK_NOTHROW(handle.check(0, "once only"));
}

TEST_CASE("ext4 io: a block beyond the disk's end is damage, not a host error") {
  const Ext2Handle handle = open_ext2fs(fresh_ext4(), 0);
  std::vector<std::byte> block(4096);
  const errcode_t code = io_channel_read_blk64(handle->io, 1ULL << 60, 1, block.data());
  CHECK(code == EUCLEAN);
  CHECK_THROWS_WITH_AS(handle.check(code, "read"), doctest::Contains("lies beyond the end"), Error);
}

TEST_CASE("ext4 io: codes become the errno a caller would expect") {
  CHECK(errno_of(EIO) == EIO);
  CHECK(errno_of(EXT2_ET_BLOCK_ALLOC_FAIL) == ENOSPC);
  CHECK(errno_of(EXT2_ET_UNSUPP_FEATURE) == EOPNOTSUPP);
  CHECK(errno_of(EXT2_ET_BAD_MAGIC) == EUCLEAN);
}

}  // namespace
}  // namespace vimg
