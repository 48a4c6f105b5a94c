#include "fsdrivers/ext4_superblock.h"

#include <cerrno>
#include <functional>
#include <initializer_list>
#include <string>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/fsdrivers/ext4_sample.h"
#include "tests/support/host.h"

namespace vimg {
namespace {

using ext4::Superblock;
using test::error_of;

// 8 groups of 8192 blocks of 1 KiB.
Superblock valid_superblock() {
  Superblock superblock{};
  superblock.magic = ext4::superblock_magic;
  superblock.revision = 1;
  superblock.first_inode = 11;
  superblock.inode_size = 256;
  superblock.inodes_per_group = 1024;
  superblock.inode_count = 8 * 1024;
  superblock.blocks_per_group = 8192;
  superblock.block_count_low = 8 * 8192 + 1;
  superblock.first_data_block = 1;
  superblock.feature_incompat = ext4::incompat_filetype | ext4::incompat_extents;
  return superblock;
}

std::string verdict(const std::function<void(Superblock&)>& change) {
  Superblock superblock = valid_superblock();
  change(superblock);
  return error_of([&] { ext4::validate(superblock, ext4::superblock_offset); });
}

TEST_CASE("ext4 superblock: valid numbers become a geometry") {
  const ext4::Geometry geometry = ext4::validate(valid_superblock(), ext4::superblock_offset);
  CHECK(geometry.block_size == 1024);
  CHECK(geometry.group_count == 8);
  CHECK(geometry.descriptor_size == 32);
  CHECK(geometry.superblock_block == 1);
}

TEST_CASE("ext4 superblock: blocks may be 64 KiB, not more") {
  // With larger blocks the groups must hold more inodes, so only the block size is in question.
  CHECK(verdict([](Superblock& s) { s.log_block_size = 6; }).find("log_block_size") ==
        std::string::npos);
  CHECK(verdict([](Superblock& s) { s.log_block_size = 7; }) ==
        "117 ext4: superblock: log_block_size cannot be 0x7");
  CHECK(verdict([](Superblock& s) { s.log_block_size = 0xffffffff; }) ==
        "117 ext4: superblock: log_block_size cannot be 0xffffffff");
}

TEST_CASE("ext4 superblock: the inode size is a power of two between 128 and a block") {
  for (const std::uint16_t size : std::initializer_list<std::uint16_t>{128, 512, 1024}) {
    CHECK(verdict([&](Superblock& s) { s.inode_size = size; }).empty());
  }
  for (const std::uint16_t size : std::initializer_list<std::uint16_t>{0, 64, 130, 2048}) {
    CHECK(verdict([&](Superblock& s) { s.inode_size = size; }).find("inode_size cannot be") !=
          std::string::npos);
  }
}

TEST_CASE("ext4 superblock: inodes of a group fill a block of the table, and one bitmap at most") {
  const auto with = [](std::uint32_t count) {
    return verdict([&](Superblock& s) {
      s.inodes_per_group = count;
      s.inode_count = count * 8;
    });
  };
  CHECK(with(4).empty());
  CHECK(with(3).find("inodes_per_group cannot be 0x3") != std::string::npos);
  CHECK(with(8192).empty());
  CHECK(with(8193).find("inodes_per_group cannot be 0x2001") != std::string::npos);
  CHECK(with(0).find("inodes_per_group cannot be 0x0") != std::string::npos);
}

TEST_CASE("ext4 superblock: a group without blocks, or with more than its bitmap counts") {
  CHECK(verdict([](Superblock& s) { s.blocks_per_group = 0; }) ==
        "117 ext4: superblock: blocks_per_group cannot be 0x0");
  CHECK(verdict([](Superblock& s) { s.blocks_per_group = 8193; }) ==
        "117 ext4: superblock: blocks_per_group cannot be 0x2001");
}

TEST_CASE("ext4 superblock: the inode count must be that of all groups") {
  CHECK(verdict([](Superblock& s) { s.inode_count = 8 * 1024 - 1; }) ==
        "117 ext4: superblock: 0x1fff inodes, expected 0x400 in each of 0x8 groups");
}

TEST_CASE("ext4 superblock: the first data block lies inside of the file system") {
  CHECK(verdict([](Superblock& s) { s.first_data_block = 8 * 8192 + 1; }) ==
        "117 ext4: superblock: first_data_block cannot be 0x10001");
  CHECK(verdict([](Superblock& s) { s.block_count_low = 0; }) ==
        "117 ext4: superblock: block_count cannot be 0x0");
}

TEST_CASE("ext4 superblock: descriptors are 64 bytes or more where block numbers have 64 bits") {
  const auto with = [](std::uint16_t size) {
    return verdict([&](Superblock& s) {
      s.feature_incompat = s.feature_incompat | ext4::incompat_64bit;
      s.descriptor_size = size;
    });
  };
  CHECK(with(64).empty());
  CHECK(with(1024).empty());
  for (const std::uint16_t size : std::initializer_list<std::uint16_t>{0, 32, 65, 2048}) {
    CHECK(with(size).find("descriptor_size cannot be") != std::string::npos);
  }
}

TEST_CASE("ext4 superblock: clusters are at least a block") {
  const auto with = [](std::uint32_t log_size) {
    return verdict([&](Superblock& s) {
      s.feature_ro_compat = ext4::ro_compat_bigalloc;
      s.log_block_size = 1;
      s.log_cluster_size = log_size;
      s.first_data_block = 0;
    });
  };
  CHECK(with(0) == "117 ext4: superblock: log_cluster_size cannot be 0x0");
  CHECK(with(20) == "117 ext4: superblock: log_cluster_size cannot be 0x14");
}

TEST_CASE("ext4 superblock: an unknown feature is refused by its name or bit") {
  const auto with = [](std::uint32_t bit) {
    return verdict([&](Superblock& s) { s.feature_incompat = s.feature_incompat | bit; });
  };
  CHECK(with(0x1) == "95 ext4: features not supported: compression");
  CHECK(with(0x1000) == "95 ext4: features not supported: dirdata");
  CHECK(with(0x80000000) == "95 ext4: features not supported: FEATURE_I31");
  CHECK(with(ext4::incompat_journal_dev) ==
        "95 ext4: this is an external journal (journal_dev), not a file system");
}

TEST_CASE("ext4 superblock: a wrong checksum is damage, an unknown kind of it is not supported") {
  CHECK(verdict([](Superblock& s) {
          s.feature_ro_compat = ext4::ro_compat_metadata_csum;
          s.checksum_type = 1;
        }).starts_with("117 ext4: superblock: checksum is 0x00000000, expected 0x"));
  CHECK(verdict([](Superblock& s) {
          s.feature_ro_compat = ext4::ro_compat_metadata_csum;
          s.checksum_type = 2;
        }) == "95 ext4: superblock: checksum type 2 is not known");
}

TEST_CASE("ext4 superblock: the type is told apart as blkid does") {
  const auto type = [](std::uint32_t compat, std::uint32_t incompat, std::uint32_t ro_compat) {
    Superblock superblock{};
    superblock.feature_compat = compat;
    superblock.feature_incompat = incompat;
    superblock.feature_ro_compat = ro_compat;
    return ext4::type_of(superblock);
  };
  CHECK(type(0, ext4::incompat_filetype, 0) == "ext2");
  CHECK(type(ext4::compat_has_journal, ext4::incompat_filetype, 0) == "ext3");
  CHECK(type(ext4::compat_has_journal, ext4::incompat_recover, 0) == "ext3");
  CHECK(type(0, ext4::incompat_recover, 0) == "ext4");
  CHECK(type(0, ext4::incompat_extents, 0) == "ext4");
  CHECK(type(0, 0, ext4::ro_compat_huge_file) == "ext4");
  CHECK(type(0, ext4::incompat_journal_dev, 0) == "jbd");
}

TEST_CASE("ext4 superblock: what is too small for one, or has none, is not probed as ext4") {
  const auto* const driver = find_filesystem_driver("ext4");
  CHECK_FALSE(driver->probe(*make_memory_disk(std::vector<std::byte>(2047))));
  CHECK_FALSE(driver->probe(*make_memory_disk(std::vector<std::byte>(2048))));
}

TEST_CASE("ext4 superblock: features and facts have the names of dumpe2fs") {
  test::Ext4Sample image("-t ext4 -b 1024 -L name -M /srv/data", "4M", "");
  const auto info = image.open()->info();
  CHECK(info.type == "ext4");
  CHECK(info.label == "name");
  CHECK(info.state == "clean");
  std::string listed;
  for (const auto& [name, value] : info.facts) {
    if (name == "last mounted on") {
      CHECK(value == "/srv/data");
    }
    listed += name == "features" ? value : "";
  }
  const test::TemporaryDirectory directory;
  test::write_file(directory / "image", image.bytes());
  const std::string dumped =
      test::must_run("dumpe2fs -h " + (directory / "image") +
                     " 2>/dev/null | sed -n 's/^Filesystem features: *//p' | tr -d '\\n'");
  CHECK(listed == dumped);
}

TEST_CASE("ext4 superblock: a file system larger than its disk is read, and that is said") {
  test::Ext4Sample image("-t ext4 -b 1024", "4M", "echo text > file");
  image.bytes().resize(3 << 20);
  const auto warnings = image.open()->info().warnings;
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("0x1000 blocks of 1024 bytes, the disk only 0x300000 bytes") !=
        std::string::npos);
}

TEST_CASE("ext4 superblock: a copy is used when it is asked for") {
  test::Ext4Sample image("-t ext4 -b 1024", "20M", "echo text > file");
  image.set_superblock(Superblock{});
  CHECK(error_of([&] { image.open(); }).find("magic is 0x0000") != std::string::npos);
  const auto filesystem = image.open({"sb=8193"});
  CHECK(filesystem->lookup(filesystem->root(), "file"));
}

}  // namespace
}  // namespace vimg
