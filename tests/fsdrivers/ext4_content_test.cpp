#include "fsdrivers/ext4_content.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "disk/error.h"
#include "tests/fsdrivers/ext4_sample.h"
#include "tests/support/fault_disk.h"
#include "tests/support/tree.h"

namespace vimg {
namespace {

using test::error_of;
using test::Ext4Sample;

constexpr char plain[] = "-t ext4 -b 1024 -O ^metadata_csum";

InodeNumber find(const FileSystem& filesystem, const std::string& name) {
  return filesystem.lookup(filesystem.root(), name).value();
}

TEST_CASE("ext4 content: data and holes are where they were written") {
  const Ext4Sample image(plain, "4M",
                         "truncate -s 100k file && printf data | dd of=file bs=1k seek=40 "
                         "conv=notrunc 2>/dev/null");
  const auto filesystem = image.open();
  const InodeNumber file = find(*filesystem, "file");
  const auto seek = [&](std::uint64_t offset, SeekTarget target) {
    return filesystem->seek(file, offset, target);
  };
  CHECK(seek(0, SeekTarget::data) == 40 << 10);
  CHECK(seek(0, SeekTarget::hole) == 0);
  CHECK(seek((40 << 10) + 7, SeekTarget::data) == (40 << 10) + 7);
  CHECK(seek(40 << 10, SeekTarget::hole) == 41 << 10);
  CHECK_FALSE(seek(41 << 10, SeekTarget::data));
  CHECK(seek((100 << 10) - 1, SeekTarget::hole) == (100 << 10) - 1);
  CHECK_FALSE(seek(100 << 10, SeekTarget::hole));
  CHECK_FALSE(seek(100 << 10, SeekTarget::data));
}

TEST_CASE("ext4 content: the end of a file that is all data is its hole") {
  const Ext4Sample image(plain, "4M", "printf 'twenty characters...' > file");
  const auto filesystem = image.open();
  const InodeNumber file = find(*filesystem, "file");
  CHECK(filesystem->seek(file, 0, SeekTarget::hole) == 20);
  CHECK(filesystem->seek(file, 19, SeekTarget::data) == 19);
}

TEST_CASE("ext4 content: space that is set aside reads as zeros and is a hole") {
  Ext4Sample image(plain, "4M", "printf data > file");
  image.debugfs("fallocate /file 0 9");
  image.debugfs("sif /file size 10240");
  const auto filesystem = image.open();
  const InodeNumber file = find(*filesystem, "file");
  std::vector<std::byte> content(20480, std::byte{1});
  CHECK(filesystem->read(file, 0, content) == 10240);
  CHECK(text_of(ConstBytes(content).first(4)) == "data");
  CHECK(all_zero(ConstBytes(content).subspan(4, 10236)));
  CHECK(filesystem->seek(file, 0, SeekTarget::hole) == 1024);
  CHECK_FALSE(filesystem->seek(file, 1024, SeekTarget::data));
}

TEST_CASE("ext4 content: a contiguous file is one read of the disk") {
  const Ext4Sample image(plain, "8M", "head -c 2000000 /dev/urandom > file");
  const auto disk = std::make_shared<test::FaultDisk>(image.disk());
  const auto filesystem = find_filesystem_driver("ext4")->open(disk, {MountAccess::read_only, {}});
  const InodeNumber file = find(*filesystem, "file");
  std::vector<std::byte> content(2000000);
  filesystem->read(file, 0, content);
  disk->reads = 0;
  filesystem->read(file, 0, content);
  CHECK(disk->reads == 1);
}

TEST_CASE("ext4 content: inline files are read, and are zeros behind a size that grew") {
  Ext4Sample image("-t ext4 -b 1024 -O ^metadata_csum,inline_data", "4M",
                   "printf short > file && head -c 120 /dev/zero | tr '\\0' x > longer");
  const auto filesystem = image.open();
  std::vector<std::byte> content(200);
  CHECK(filesystem->read(find(*filesystem, "file"), 0, content) == 5);
  CHECK(text_of(ConstBytes(content).first(5)) == "short");
  CHECK(filesystem->read(find(*filesystem, "longer"), 50, content) == 70);
  CHECK(text_of(ConstBytes(content).first(70)) == std::string(70, 'x'));
  CHECK(filesystem->seek(find(*filesystem, "file"), 0, SeekTarget::hole) == 5);
  image.debugfs("sif /file size 1000");
  CHECK(image.open()->read(find(*filesystem, "file"), 4, content) == 200);
}

TEST_CASE("ext4 content: symbolic links of every kind, and sizes that lie") {
  Ext4Sample image(plain, "4M",
                   "ln -s target fast && ln -s $(head -c 59 /dev/zero | tr '\\0' a) most && "
                   "ln -s $(head -c 60 /dev/zero | tr '\\0' b) slow");
  const auto filesystem = image.open();
  CHECK(filesystem->symlink_target(find(*filesystem, "fast")) == "target");
  CHECK(filesystem->symlink_target(find(*filesystem, "most")) == std::string(59, 'a'));
  CHECK(filesystem->symlink_target(find(*filesystem, "slow")) == std::string(60, 'b'));
  const auto with_size = [&](const std::string& name, const std::string& size) {
    Ext4Sample broken = image;
    broken.debugfs("sif /" + name + " size " + size);
    const auto opened = broken.open();
    return error_of([&] { opened->symlink_target(find(*opened, name)); });
  };
  CHECK(with_size("fast", "60").ends_with("a symbolic link cannot be 0x3c bytes long"));
  CHECK(with_size("fast", "0").ends_with("a symbolic link cannot be 0x0 bytes long"));
  CHECK(with_size("slow", "4097").ends_with("a symbolic link cannot be 0x1001 bytes long"));
  CHECK(with_size("slow", "4096").empty());
}

TEST_CASE("ext4 content: whichever read of the disk fails, it is EIO and nothing else") {
  const Ext4Sample image("-t ext4 -b 1024 -O inline_data", "4M",
                         "mkdir -p a/b && head -c 30000 /dev/urandom > a/b/file && "
                         "ln -s $(head -c 99 /dev/zero | tr '\\0' a) a/link && touch a/empty");
  const auto disk = std::make_shared<test::FaultDisk>(image.disk());
  const auto walk = [&] {
    const auto filesystem =
        find_filesystem_driver("ext4")->open(disk, {MountAccess::read_only, {}});
    filesystem->statistics();
    return test::walk(*filesystem);
  };
  const auto whole = walk();
  const std::uint64_t reads = disk->reads;
  CHECK(reads > 10);
  for (std::uint64_t n = 0; n < reads; ++n) {
    disk->reads = 0;
    disk->fail_read = n;
    // The walk notes what happens to the content of a file; everything else throws.
    std::string seen;
    const std::string error = error_of([&] { seen = walk().dump(); });
    CHECK((error.starts_with("5 ") || seen.find("\"read_error\":\"EIO\"") != std::string::npos));
  }
  disk->fail_read = test::FaultDisk::never;
  CHECK(walk() == whole);
}

TEST_CASE("ext4 content: a failed read is not remembered") {
  const Ext4Sample image(plain, "4M", "mkdir dir && touch dir/file");
  const auto disk = std::make_shared<test::FaultDisk>(image.disk());
  const auto filesystem = find_filesystem_driver("ext4")->open(disk, {MountAccess::read_only, {}});
  disk->fail_read = disk->reads.load();
  CHECK(error_of([&] { find(*filesystem, "dir"); }).starts_with("5 "));
  CHECK(filesystem->lookup(find(*filesystem, "dir"), "file"));
}

}  // namespace
}  // namespace vimg
