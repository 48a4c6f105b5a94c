#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "disk/error.h"
#include "tests/fsdrivers/ext4_image.h"

using namespace vimg;
using vimg::test::Ext4Image;

namespace {

// One of each kind of layout that changes how something is written.
const std::vector<std::string> kinds = {
    "-t ext2",
    "-t ext3",
    "-t ext4",
    "-t ext4 -b 1024",
    "-t ext4 -I 128",
    "-t ext4 -O inline_data -I 256",
    "-t ext4 -O bigalloc -C 16384",
    "-t ext4 -O ^metadata_csum",
    "-t ext4 -O ^metadata_csum,^uninit_bg",
    "-t ext4 -O ^dir_index",
    "-t ext4 -O casefold",
    "-t ext4 -O ea_inode",
    "-t ext4 -O large_dir -b 1024",
    "-t ext4 -O ^metadata_csum,uninit_bg -b 1024 -g 1024",
    "-t ext4 -O meta_bg,^resize_inode -b 1024 -g 2048",
    "-t ext4 -O ^64bit,^flex_bg,sparse_super2",
    "-t ext4 -O ^extent,^64bit",
    "-t ext4 -O ^filetype",
};

int code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return 0;
}

std::string pattern(std::size_t size, unsigned seed) {
  std::string text(size, '\0');
  for (std::size_t index = 0; index < size; ++index) {
    seed = seed * 1103515245U + 12345U;
    text[index] = char(seed >> 16);
  }
  return text;
}

}  // namespace

TEST_CASE("ext4 writing: files, directories and links of every layout are clean for e2fsck") {
  for (const std::string& kind : kinds) {
    CAPTURE(kind);
    Ext4Image image(kind);
    const InodeNumber directory = image.make_directory(image.root(), "directory");
    const std::string text = pattern(300'000, 1);
    image.put(directory, "file", text);
    image.put(directory, "small", "small");
    image.writer().link(image.find("directory/small"), image.root(), "second name");
    image.writer().make_symlink(image.root(), "short", "directory/small", 1, 2);
    image.writer().make_symlink(image.root(), "long", std::string(200, 'x'), 1, 2);
    image.writer().create(image.root(), "device", {S_IFBLK | 0600, 0, 0, 300, 70000});
    CHECK(image.content(image.find("directory/file")) == text);
    CHECK(image.content(image.find("second name")) == "small");
    CHECK(image.fsck() == "");
    image.open();
    CHECK(image.content(image.find("directory/file")) == text);
    CHECK(image.fs().attributes(image.find("second name")).nlink == 2);
    CHECK(image.fs().symlink_target(image.find("long")) == std::string(200, 'x'));
    CHECK(image.fs().attributes(image.find("device")).device_minor == 70000);
  }
}

TEST_CASE("ext4 writing: a directory of thousands of names stays findable and clean") {
  for (const std::string& kind : kinds) {
    CAPTURE(kind);
    Ext4Image image(kind, 64);
    const InodeNumber directory = image.make_directory(image.root(), "many");
    constexpr int count = 2500;
    for (int index = 0; index < count; ++index) {
      image.make(directory, "a name of some length " + std::to_string(index));
    }
    for (int index = 0; index < count; index += 3) {
      const std::string name = "a name of some length " + std::to_string(index);
      const InodeNumber inode = *image.fs().lookup(directory, name);
      image.writer().unlink(directory, name);
      image.writer().release(inode);
    }
    int found = 0;
    for (int index = 0; index < count; ++index) {
      const std::string name = "a name of some length " + std::to_string(index);
      found += image.fs().lookup(directory, name).has_value() ? 1 : 0;
    }
    CHECK(found == count - (count + 2) / 3);
    CHECK(image.fsck() == "");
  }
}

// What the superblock counts, as dumpe2fs shows it.
std::string free_counts(const std::string& path) {
  return test::must_run("dumpe2fs -h " + path + " 2>/dev/null | grep ^Free");
}

TEST_CASE("ext4 writing: what was removed leaves the file system as empty as it was") {
  for (const std::string& kind : kinds) {
    CAPTURE(kind);
    Ext4Image image(kind);
    const std::string counted = free_counts(image.path());
    const FileSystemStatistics before = image.fs().statistics();
    const InodeNumber directory = image.make_directory(image.root(), "directory");
    const InodeNumber file = image.put(directory, "file", pattern(200'000, 2));
    image.writer().set_xattr(file, "user.name", bytes_of(std::string_view("value")),
                             XattrMode::set);
    const std::string large(500, 'v');
    image.writer().set_xattr(file, "user.large", bytes_of(std::string_view(large)), XattrMode::set);
    const InodeNumber link =
        image.writer().make_symlink(directory, "long", std::string(100, 'x'), 0, 0).inode;
    image.writer().unlink(directory, "file");
    image.writer().release(file);
    image.writer().unlink(directory, "long");
    image.writer().release(link);
    image.writer().remove_directory(image.root(), "directory");
    image.writer().release(directory);
    const FileSystemStatistics after = image.fs().statistics();
    CHECK(after.blocks_free == before.blocks_free);
    CHECK(after.inodes_free == before.inodes_free);
    CHECK(image.fsck() == "");
    CHECK(free_counts(image.path()) == counted);
  }
}

TEST_CASE("ext4 writing: what was held back changes no times") {
  Ext4Image image("-t ext4");
  const InodeNumber file = image.put(image.root(), "file", "content");
  AttributeChange change;
  change.mtime = timespec{1000, 1};
  change.ctime = timespec{2000, 2};
  image.writer().change(file, change);
  image.writer().write(file, 3, bytes_of(std::string_view("fuse")), TimeUpdate::none);
  image.writer().write(file, 5'000, bytes_of(std::string_view("more")), TimeUpdate::none);
  image.writer().fallocate(file, FallocateMode::punch_hole, 0, 4096, TimeUpdate::none);
  image.writer().fallocate(file, FallocateMode::zero_range, 0, 4096, TimeUpdate::none);
  const Attributes found = image.fs().attributes(file);
  CHECK(found.size == 5'004);
  CHECK(found.mtime.tv_sec == 1000);
  CHECK(found.ctime.tv_sec == 2000);
  CHECK(image.fsck() == "");
}

TEST_CASE("ext4 writing: a full disk refuses with ENOSPC and can be emptied again") {
  for (const std::string& kind : kinds) {
    CAPTURE(kind);
    Ext4Image image(kind);
    const FileSystemStatistics before = image.fs().statistics();
    const std::string chunk = pattern(100'000, 3);
    std::vector<InodeNumber> files;
    int code = 0;
    while (code == 0) {
      code = code_of([&] {
        files.push_back(image.make(image.root(), "f" + std::to_string(files.size())).inode);
        image.writer().write(files.back(), 0, bytes_of(std::string_view(chunk)));
      });
    }
    CHECK(code == ENOSPC);
    for (std::size_t index = 0; index < files.size(); ++index) {
      image.writer().unlink(image.root(), "f" + std::to_string(index));
      image.writer().release(files[index]);
    }
    CHECK(image.fs().statistics().blocks_free + 16 >= before.blocks_free);
    CHECK(image.fs().statistics().inodes_free == before.inodes_free);
    CHECK(image.fsck() == "");
  }
}

TEST_CASE("ext4 writing: content is written anywhere, cut and grown again with zeros") {
  for (const std::string& kind : kinds) {
    CAPTURE(kind);
    Ext4Image image(kind);
    const InodeNumber file = image.make(image.root(), "file").inode;
    std::string model;
    const auto put = [&](std::size_t offset, const std::string& text) {
      image.writer().write(file, offset, bytes_of(std::string_view(text)));
      model.resize(std::max(model.size(), offset + text.size()));
      model.replace(offset, text.size(), text);
    };
    const auto cut = [&](std::size_t size) {
      AttributeChange change;
      change.size = size;
      image.writer().change(file, change);
      model.resize(size);
    };
    put(0, "inline?");
    put(5000, pattern(10'000, 4));
    put(100'000, pattern(5000, 5));
    CHECK(image.content(file) == model);
    cut(103'000);
    cut(7001);
    cut(60'000);
    CHECK(image.content(file) == model);
    put(2, pattern(40'000, 6));
    cut(0);
    put(3'000'000, "far");
    CHECK(image.content(file) == model);
    CHECK(image.fsck() == "");
    image.open();
    CHECK(image.content(image.find("file")) == model);
  }
}
