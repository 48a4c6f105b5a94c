// VMDK: reading, against QEMU and against images made by hand from the specification.
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

bool is_filled(const Disk& disk, std::uint64_t offset, std::uint64_t length, std::byte value) {
  std::vector<std::byte> content(length);
  disk.read(offset, content);
  return std::ranges::all_of(content, [&](std::byte b) { return b == value; });
}

std::string value_of(const ImageInfo& info, const std::string& name) {
  const auto found =
      std::ranges::find_if(info.facts, [&](const auto& fact) { return fact.first == name; });
  return found == info.facts.end() ? "" : found->second;
}

// A COWD extent of 8 MiB and grains of one sector: sector 1 holds ones, sector 4097 twos.
std::vector<std::byte> cowd_by_hand() {
  FileBuilder file(200 * vmdk::sector);
  vmdk::CowdHeader header{};
  header.magic = vmdk::cowd_magic;
  header.version = 1;
  header.flags = 3;
  header.capacity = 16384;
  header.grain_size = 1;
  header.directory_offset = 4;
  header.directory_entries = 4;
  header.free_sector = 200;
  file.put(0, header);
  file.put(4 * vmdk::sector, le32(8));
  file.put(4 * vmdk::sector + 4, le32(40));
  file.put(8 * vmdk::sector + 4, le32(100));
  file.put(40 * vmdk::sector + 4, le32(101));
  file.fill(100 * vmdk::sector, vmdk::sector, std::byte{1});
  file.fill(101 * vmdk::sector, vmdk::sector, std::byte{2});
  return file.bytes;
}

// A seSparse extent of 32 MiB: grains 0 and 4097 are allocated, grain 1 is zero, grain 2 discarded.
std::vector<std::byte> se_sparse_by_hand() {
  FileBuilder file(400 * vmdk::sector);
  vmdk::SeSparseHeader header{};
  header.magic = 0xcafebabe;
  header.version = 0x200000001;
  header.capacity = 65536;
  header.grain_size = 8;
  header.table_size = 64;
  header.volatile_header_offset = 1;
  header.volatile_header_size = 1;
  header.directory_offset = 8;
  header.directory_size = 1;
  header.tables_offset = 16;
  header.tables_size = 128;
  header.grains_offset = 160;
  header.grains_size = 64;
  file.put(0, header);
  file.put(vmdk::sector, vmdk::SeSparseVolatileHeader{0xcafecafe, 0, 0, 0});
  file.put(8 * vmdk::sector, le64(0x1000000000000001));
  file.put(8 * vmdk::sector + 8, le64(0x1000000000000000));
  const std::uint64_t first = (16 + 64) * vmdk::sector;
  file.put(first, le64(0x3000000000000000));
  file.put(first + 8, le64(0x2000000000000000));
  file.put(first + 16, le64(0x1000000000000000));
  file.put(16 * vmdk::sector + 8, le64(0x3003000000000000));
  file.fill(160 * vmdk::sector, 4096, std::byte{1});
  file.fill((160 + 3 * 8) * vmdk::sector, 4096, std::byte{2});
  return file.bytes;
}

}  // namespace

TEST_CASE("vmdk: what qemu-img writes in each of its subformats is read back") {
  const std::vector<std::byte> content = patchy(3 * mib + 1536, 1);
  for (const char* options :
       {"subformat=monolithicSparse", "subformat=monolithicSparse,zeroed_grain=on",
        "subformat=monolithicSparse,compat6=on", "subformat=monolithicFlat",
        "subformat=twoGbMaxExtentSparse", "subformat=twoGbMaxExtentFlat",
        "subformat=streamOptimized"}) {
    CAPTURE(options);
    const TemporaryDirectory directory;
    write_file(directory / "raw", content);
    must_run("cd " + directory.path() + " && qemu-img convert -f raw -O vmdk -o " + options +
             " raw image.vmdk");
    const std::vector<std::byte> before = read_file(directory / "image.vmdk");
    const bool is_same = content_of(*open_format(vmdk_driver, directory / "image.vmdk")) == content;
    CHECK(is_same);
    CHECK(read_file(directory / "image.vmdk") == before);
  }
}

TEST_CASE("vmdk: a disk of several extents is read across their border") {
  const std::uint64_t border = 2048 * mib;
  for (const char* subformat : {"twoGbMaxExtentSparse", "twoGbMaxExtentFlat"}) {
    CAPTURE(subformat);
    const TemporaryDirectory directory;
    must_run("cd " + directory.path() + " && qemu-img create -q -f vmdk -o subformat=" + subformat +
             " image.vmdk 2100M && qemu-io -c 'write -P 7 2097088k 128k' image.vmdk >/dev/null");
    const DiskPtr disk = open_format(vmdk_driver, directory / "image.vmdk");
    CHECK(disk->size() == 2100 * mib);
    CHECK(is_filled(*disk, border - 64 * 1024, 128 * 1024, std::byte{7}));
    CHECK(is_filled(*disk, border - 65 * 1024, 1024, std::byte{0}));
    CHECK(is_filled(*disk, border + 64 * 1024, 1024, std::byte{0}));
    CHECK(disk->extent(border - 512, mib).length <= 512);
  }
}

TEST_CASE("vmdk: a delta link shows its parent where it has no grains") {
  const TemporaryDirectory directory;
  const std::vector<std::byte> content = patchy(2 * mib, 2);
  write_file(directory / "raw", content);
  must_run("cd " + directory.path() +
           " && qemu-img convert -f raw -O vmdk raw base.vmdk"
           " && qemu-img create -q -f vmdk -b base.vmdk -F vmdk top.vmdk"
           " && qemu-io -c 'write -P 9 100k 70k' top.vmdk >/dev/null");
  const std::vector<std::byte> expected = qemu_content(directory, "top.vmdk");
  CHECK(expected != content);
  CHECK(content_of(*open_format(vmdk_driver, directory / "top.vmdk")) == expected);
  const ImageInfo info = vmdk_driver.info(*make_memory_disk(read_file(directory / "top.vmdk")));
  CHECK(info.backing_file == "base.vmdk");
  CHECK(info.backing_format == "vmdk");
}

TEST_CASE("vmdk: a parent that was changed under its child is refused") {
  const TemporaryDirectory directory;
  must_run("cd " + directory.path() +
           " && qemu-img create -q -f vmdk base.vmdk 1M"
           " && qemu-img create -q -f vmdk -b base.vmdk -F vmdk top.vmdk"
           " && qemu-io -c 'write -P 9 0 64k' base.vmdk >/dev/null");
  try {
    open_format(vmdk_driver, directory / "top.vmdk");
    FAIL("opened");
  } catch (const Error& error) {
    CHECK(error.code() == EUCLEAN);
    CHECK(std::string(error.what()).find("the parent \"base.vmdk\" has CID") != std::string::npos);
  }
  CHECK(run("qemu-io -r -c 'read 0 64k' " + directory / "top.vmdk").exit_code != 0);
}

TEST_CASE("vmdk: a COWD extent reads as QEMU reads it") {
  const TemporaryDirectory directory;
  write_file(directory / "part.vmdk", cowd_by_hand());
  write_file(directory / "image.vmdk",
             bytes_from(descriptor_text("vmfsSparse", "RW 16384 VMFSSPARSE \"part.vmdk\"\n")));
  const DiskPtr disk = open_format(vmdk_driver, directory / "image.vmdk");
  CHECK(is_filled(*disk, 4097 * vmdk::sector, vmdk::sector, std::byte{2}));
  CHECK(content_of(*disk) == qemu_content(directory, "image.vmdk"));
}

TEST_CASE("vmdk: a seSparse extent reads as QEMU reads it") {
  const TemporaryDirectory directory;
  write_file(directory / "part.vmdk", se_sparse_by_hand());
  write_file(directory / "image.vmdk",
             bytes_from(descriptor_text("seSparse", "RW 65536 SESPARSE \"part.vmdk\"\n")));
  const DiskPtr disk = open_format(vmdk_driver, directory / "image.vmdk", Access::read_write);
  CHECK(!disk->writable());
  CHECK(is_filled(*disk, 4097 * 4096, 4096, std::byte{2}));
  CHECK(disk->extent(4096, mib).kind == Extent::Kind::zero);
  CHECK(disk->extent(4096, mib).length == 8192);
  CHECK(disk->extent(12288, mib).kind == Extent::Kind::hole);
  CHECK(content_of(*disk) == qemu_content(directory, "image.vmdk"));
}

TEST_CASE("vmdk: flat extents begin where the descriptor says") {
  const TemporaryDirectory directory;
  FileBuilder data(8 * vmdk::sector);
  for (std::uint64_t i = 0; i < 8; ++i) {
    data.fill(i * vmdk::sector, vmdk::sector, std::byte(i));
  }
  write_file(directory / "data", data.bytes);
  write_file(directory / "image.vmdk",
             bytes_from(descriptor_text("monolithicFlat",
                                        "RW 2 FLAT \"data\" 5\nRW 3 FLAT \"data\" 1\n")));
  const DiskPtr disk = open_format(vmdk_driver, directory / "image.vmdk");
  CHECK(disk->size() == 5 * vmdk::sector);
  CHECK(content_of(*disk) == qemu_content(directory, "image.vmdk"));
}

TEST_CASE("vmdk: an extent of zeros reads as that, and one without access not at all") {
  TestContext context({}, Access::read_write);
  context.disks["data"] = make_memory_disk(std::vector<std::byte>(1024, std::byte{5}));
  const std::string text = descriptor_text(
      "custom", "RW 2 ZERO\nRDONLY 2 FLAT \"data\" 0\nNOACCESS 2 FLAT \"secret\" 0\n");
  const DiskPtr disk = vmdk_driver.open(make_memory_disk(bytes_from(text)), context);
  CHECK(disk->size() == 6 * vmdk::sector);
  CHECK(is_filled(*disk, 0, 1024, std::byte{0}));
  CHECK(disk->extent(0, 4096).kind == Extent::Kind::hole);
  CHECK(is_filled(*disk, 1024, 1024, std::byte{5}));
  CHECK_THROWS_AS(is_filled(*disk, 2048, 1, std::byte{0}), Error);
  CHECK_THROWS_AS(disk->write(0, bytes_of("x")), Error);
  CHECK_THROWS_AS(disk->write(1024, bytes_of("x")), Error);
}

TEST_CASE("vmdk: extent() tells data, holes and the host file apart") {
  const TemporaryDirectory directory;
  write_file(directory / "image.vmdk", sparse_by_hand());
  const DiskPtr disk = open_format(vmdk_driver, directory / "image.vmdk");
  const Extent first = disk->extent(100, mib);
  CHECK(first.length == 4096 - 100);
  CHECK(first.kind == Extent::Kind::data);
  CHECK(first.fd >= 0);
  CHECK(first.file_offset == 64 * vmdk::sector + 100);
  CHECK(disk->extent(4096, mib).kind == Extent::Kind::hole);
  CHECK(disk->extent(4096, mib).length == 4096);
  CHECK(disk->extent(mib - 4096, mib).length == 4096);
}

TEST_CASE("vmdk: a zeroed grain hides what the parent has") {
  const TemporaryDirectory directory;
  must_run("cd " + directory.path() +
           " && qemu-img create -q -f vmdk base.vmdk 1M"
           " && qemu-io -c 'write -P 3 0 1M' base.vmdk >/dev/null"
           " && qemu-img create -q -f vmdk -o zeroed_grain=on -b base.vmdk -F vmdk top.vmdk"
           " && qemu-io -c 'write -z 64k 64k' top.vmdk >/dev/null");
  const DiskPtr disk = open_format(vmdk_driver, directory / "top.vmdk");
  CHECK(is_filled(*disk, 64 * 1024, 64 * 1024, std::byte{0}));
  CHECK(disk->extent(64 * 1024, mib).kind == Extent::Kind::zero);
  CHECK(is_filled(*disk, 128 * 1024, 64 * 1024, std::byte{3}));
}

TEST_CASE("vmdk: info says what the image is") {
  const ImageInfo info = vmdk_driver.info(*make_memory_disk(sparse_by_hand()));
  CHECK(info.format == "vmdk");
  CHECK(info.virtual_size == mib);
  CHECK(value_of(info, "create type") == "monolithicSparse");
  CHECK(value_of(info, "cid") == "1234abcd");
  CHECK(value_of(info, "parent cid") == "ffffffff");
  CHECK(value_of(info, "cluster size") == "4096");
  const std::string text = descriptor_text("monolithicFlat", "RW 8 FLAT \"a b.vmdk\" 3\n");
  const ImageInfo flat = vmdk_driver.info(*make_memory_disk(bytes_from(text)));
  CHECK(flat.virtual_size == 4096);
  CHECK(value_of(flat, "extent 0") == "RW FLAT 4096 bytes \"a b.vmdk\" from 1536");
}

TEST_CASE("vmdk: an image is known by its signature or its first lines") {
  const auto is_vmdk = [](std::string_view head) {
    std::string text(head);
    text.resize(600);
    return &detect_format(*make_memory_disk(bytes_from(text))) == &vmdk_driver;
  };
  CHECK(is_vmdk("KDMV"));
  CHECK(is_vmdk("COWD"));
  CHECK(is_vmdk("# Disk DescriptorFile\n"));
  CHECK(is_vmdk("# anything\n\r\n  \nversion=3\r\n"));
  CHECK(!is_vmdk("# anything\nversion=4\n"));
  CHECK(!is_vmdk("#!/bin/sh\necho version=1\n"));
}

}  // namespace vimg::test
