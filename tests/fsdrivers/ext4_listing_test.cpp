#include "fsdrivers/ext4_listing.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "tests/fsdrivers/ext4_sample.h"
#include "tests/support/host.h"

namespace vimg {
namespace {

using test::error_of;
using test::Ext4Sample;

struct Listed {
  std::string name;
  InodeNumber inode;
  std::uint64_t next;

  bool operator==(const Listed&) const = default;
};

std::vector<Listed> list_from(const FileSystem& filesystem, InodeNumber directory,
                              std::uint64_t position) {
  std::vector<Listed> all;
  filesystem.list(directory, position, [&](const DirectoryEntry& entry) {
    all.push_back({std::string(entry.name), entry.inode, entry.next});
    return true;
  });
  return all;
}

// `count` names in /dir and "target", indexed by e2fsck, which makes an index for what is larger
// than a block.
Ext4Sample indexed(const std::string& options, int count, const std::string& tune) {
  Ext4Sample image(options, "8M",
                   "mkdir dir && cd dir && touch target && seq -f 'entry-%06.0f' " +
                       std::to_string(count) + " | xargs touch");
  const test::TemporaryDirectory directory;
  const std::string path = directory / "image";
  test::write_file(path, image.bytes());
  test::must_run(tune.empty() ? ":" : tune + " " + path + " 2>&1");
  test::run("e2fsck -fyD " + path);
  image.bytes() = test::read_file(path);
  return image;
}

constexpr char options_1k[] = "-t ext4 -b 1024 -O ^has_journal,^metadata_csum -I 256 -N 1024";

std::vector<Ext4Sample> images_of_every_hash() {
  std::vector<Ext4Sample> images;
  for (const std::string hash : {"legacy", "half_md4", "tea"}) {
    images.push_back(indexed(options_1k, 800, "tune2fs -E hash_alg=" + hash));
  }
  images.push_back(indexed("-t ext4 -b 1024 -O ^has_journal -N 1024", 800, ""));
  images.push_back(indexed("-t ext4 -b 4096 -O ^has_journal -N 1024", 800, ""));
  images.push_back(indexed("-t ext4 -b 1024 -O ^has_journal,^dir_index -N 1024", 400, ""));
  images.push_back(indexed("-t ext4 -b 1024 -O ^has_journal -N 1024", 5, ""));
  return images;
}

TEST_CASE("ext4 listing: every name is listed once, found by lookup, and nothing else is") {
  for (const Ext4Sample& image : images_of_every_hash()) {
    const auto filesystem = image.open();
    const InodeNumber dir = filesystem->lookup(filesystem->root(), "dir").value();
    const auto all = list_from(*filesystem, dir, 0);
    std::set<std::string> names;
    for (const Listed& entry : all) {
      CHECK(names.insert(entry.name).second);
      REQUIRE(filesystem->lookup(dir, entry.name) == entry.inode);
    }
    CHECK(names.contains("target"));
    CHECK(names.contains("entry-000005"));
    CHECK_FALSE(filesystem->lookup(dir, "entry-999999"));
    CHECK_FALSE(filesystem->lookup(dir, ""));
    CHECK_FALSE(filesystem->lookup(dir, std::string(300, 'x')));
  }
}

TEST_CASE("ext4 listing: a listing can be taken up after every entry") {
  for (const Ext4Sample& image : images_of_every_hash()) {
    const auto filesystem = image.open();
    const InodeNumber dir = filesystem->lookup(filesystem->root(), "dir").value();
    const auto all = list_from(*filesystem, dir, 0);
    std::uint64_t position = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      filesystem->list(dir, position, [&](const DirectoryEntry& entry) {
        CHECK(entry.name == all[i].name);
        CHECK(entry.next == all[i].next);
        position = entry.next;
        return false;
      });
    }
    CHECK(list_from(*filesystem, dir, position).empty());
  }
}

TEST_CASE("ext4 listing: a broken index is done without, and positions stay what they were") {
  Ext4Sample image = indexed(options_1k, 800, "");
  const std::uint32_t dir = image.inode_number("/dir");
  const auto with_index = list_from(*image.open(), dir, 0);
  const std::uint64_t root = image.block_of(dir, 0) * 1024;
  auto info = image.get<ext4::IndexRoot>(root + 24);
  CHECK(info.info_length == 8);
  info.hash_version = 99;
  image.put(root + 24, info);
  const auto filesystem = image.open();
  CHECK(list_from(*filesystem, dir, 0) == with_index);
  const std::size_t middle = with_index.size() / 2;
  CHECK(list_from(*filesystem, dir, with_index[middle].next).size() ==
        with_index.size() - middle - 1);
  CHECK(filesystem->lookup(dir, "entry-000555"));
}

TEST_CASE("ext4 listing: an index whose entries all lead to one leaf ends") {
  Ext4Sample image = indexed(options_1k, 800, "");
  const std::uint32_t dir = image.inode_number("/dir");
  const std::uint64_t root = image.block_of(dir, 0) * 1024;
  const auto limits = image.get<ext4::IndexLimits>(root + 32);
  for (std::size_t i = 0; i < limits.count; ++i) {
    image.put(root + 32 + i * 8 + 4, le32(1));
  }
  const auto filesystem = image.open();
  CHECK(list_from(*filesystem, dir, 0).size() < 100 * std::size_t{limits.count});
  CHECK_FALSE(filesystem->lookup(dir, "no such name"));
}

TEST_CASE("ext4 listing: indexes that lead astray are broken, not followed") {
  const Ext4Sample image = indexed(options_1k, 800, "");
  const std::uint32_t dir = image.inode_number("/dir");
  const std::uint64_t root = image.block_of(dir, 0) * 1024;
  const std::size_t count = list_from(*image.open(), dir, 0).size();
  const auto with = [&](std::uint64_t offset, std::uint32_t value) {
    Ext4Sample broken = image;
    broken.put(root + offset, le32(value));
    const auto filesystem = broken.open();
    CHECK(filesystem->lookup(dir, "entry-000555"));
    CHECK(list_from(*filesystem, dir, 0).size() == count);
  };
  with(36, 0);           // the first entry leads to the root itself
  with(36, 0x0fffffff);  // beyond the directory
  with(40, 0xffffffff);  // hashes do not ascend
  with(32, 0xffffffff);  // more entries than room
  with(32, 0);           // no entries
  with(28, 0x03000801);  // too many levels
}

// Removes every third name and adds others, which splits leaves.
void change(FileSystem& filesystem, InodeNumber dir, int added) {
  const InodeNumber target = filesystem.lookup(dir, "target").value();
  WritableFileSystem& writer = *filesystem.writer();
  const auto names = list_from(filesystem, dir, 0);
  for (std::size_t i = 2; i < names.size(); i += 3) {
    if (names[i].name != "target") {
      writer.unlink(dir, names[i].name);
    }
  }
  for (int i = 0; i < added; ++i) {
    writer.link(target, dir, "added-" + std::to_string(i));
  }
}

// Lists up to an entry number, changes the directory, and goes on.
void check_change(const Ext4Sample& image, std::size_t stop, int added) {
  const auto filesystem =
      find_filesystem_driver("ext4")->open(image.disk(), {MountAccess::read_write, {}});
  const InodeNumber dir = filesystem->lookup(filesystem->root(), "dir").value();
  const auto before = list_from(*filesystem, dir, 0);
  std::map<std::string, int> seen;
  for (std::size_t i = 0; i <= stop; ++i) {
    ++seen[before[i].name];
  }
  change(*filesystem, dir, added);
  for (const Listed& entry : list_from(*filesystem, dir, before[stop].next)) {
    ++seen[entry.name];
  }
  for (const Listed& entry : before) {
    if (filesystem->lookup(dir, entry.name)) {
      CHECK_MESSAGE(seen[entry.name] == 1, entry.name << " after " << stop);
    }
  }
  CHECK(list_from(*filesystem, dir, 0).size() > std::size_t(added));
  filesystem->writer()->finish();
}

TEST_CASE("ext4 listing: entries that stay are seen once though leaves are split meanwhile") {
  for (const char* const options :
       {options_1k, "-t ext4 -b 1024 -O ^has_journal,^dir_index -N 1024"}) {
    const Ext4Sample image = indexed(options, 600, "");
    for (const std::size_t stop : {0, 1, 2, 100, 350, 602}) {
      check_change(image, stop, 600);
    }
  }
}

TEST_CASE("ext4 listing: a directory that is given its first index meanwhile keeps its positions") {
  const Ext4Sample image = indexed(options_1k, 20, "");
  for (const std::size_t stop : {0, 1, 5, 12, 22}) {
    check_change(image, stop, 200);
  }
}

}  // namespace
}  // namespace vimg
