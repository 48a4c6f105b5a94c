#include <doctest/doctest.h>

#include <cerrno>
#include <functional>

#include "disk/error.h"
#include "tests/fsdrivers/ext4_image.h"

using namespace vimg;
using vimg::test::Ext4Image;

namespace {

int code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return 0;
}

unsigned links_of(Ext4Image& image, InodeNumber inode) {
  return image.fs().attributes(inode).nlink;
}

}  // namespace

TEST_CASE("ext4 names: a name that exists is EEXIST, one too long ENAMETOOLONG") {
  Ext4Image image("-t ext4");
  image.make(image.root(), "name");
  CHECK(code_of([&] { image.make(image.root(), "name"); }) == EEXIST);
  CHECK(code_of([&] { image.make(image.root(), ".."); }) == EEXIST);
  CHECK(code_of([&] { image.make(image.root(), std::string(255, 'n')); }) == 0);
  CHECK(code_of([&] { image.make(image.root(), std::string(256, 'n')); }) == ENAMETOOLONG);
  CHECK(code_of([&] { image.make(image.root(), "a/b"); }) == EINVAL);
  CHECK(code_of([&] { image.make(image.root(), ""); }) == ENOENT);
  CHECK(image.fsck() == "");
}

TEST_CASE("ext4 names: removing checks for kind and emptiness") {
  Ext4Image image("-t ext4");
  const InodeNumber directory = image.make_directory(image.root(), "directory");
  image.make(directory, "file");
  auto& writer = image.writer();
  CHECK(code_of([&] { writer.remove_directory(image.root(), "directory"); }) == ENOTEMPTY);
  CHECK(code_of([&] { writer.unlink(image.root(), "directory"); }) == EISDIR);
  CHECK(code_of([&] { writer.remove_directory(directory, "file"); }) == ENOTDIR);
  CHECK(code_of([&] { writer.unlink(image.root(), "nothing"); }) == ENOENT);
  CHECK(code_of([&] { writer.remove_directory(image.root(), "."); }) == EINVAL);
  CHECK(links_of(image, image.root()) == 4);
  writer.unlink(directory, "file");
  writer.remove_directory(image.root(), "directory");
  CHECK(links_of(image, image.root()) == 3);
  CHECK(code_of([&] { image.make(directory, "late"); }) == ENOENT);
  CHECK(image.fsck() == "");
}

TEST_CASE("ext4 names: an unlinked file is read and written until it is released") {
  Ext4Image image("-t ext4");
  const InodeNumber file = image.put(image.root(), "file", "content");
  image.writer().unlink(image.root(), "file");
  CHECK(links_of(image, file) == 0);
  image.writer().write(file, 7, bytes_of(std::string_view(" and more")));
  CHECK(image.content(file) == "content and more");
  SUBCASE("released in time") {
    image.writer().release(file);
    CHECK(code_of([&] { image.fs().attributes(file); }) == ESTALE);
  }
  SUBCASE("released by the end") {}
  CHECK(image.fsck() == "");
}

TEST_CASE("ext4 names: after a crash e2fsck frees what was unlinked and still open") {
  Ext4Image image("-t ext4 -O ^has_journal");
  for (const char* name : {"one", "two", "three"}) {
    image.put(image.root(), name, "content");
    image.writer().unlink(image.root(), name);
  }
  image.writer().flush();
  image.save();
  const auto result = test::run("e2fsck -fy " + image.path());
  CHECK(result.output.find("Clearing orphaned inode") != std::string::npos);
  CHECK(result.exit_code <= 1);
  CHECK(test::run("e2fsck -fn " + image.path()).exit_code == 0);
}

TEST_CASE("ext4 names: releasing a file that has a name does nothing") {
  Ext4Image image("-t ext4");
  const InodeNumber file = image.put(image.root(), "file", "content");
  image.writer().release(file);
  CHECK(image.content(file) == "content");
  CHECK(image.fsck() == "");
}

TEST_CASE("ext4 names: a directory moves with its link counts and its parent") {
  for (const char* kind : {"-t ext4", "-t ext4 -O inline_data", "-t ext2"}) {
    CAPTURE(kind);
    Ext4Image image(kind);
    const InodeNumber from = image.make_directory(image.root(), "from");
    const InodeNumber to = image.make_directory(image.root(), "to");
    const InodeNumber moved = image.make_directory(from, "moved");
    image.make_directory(to, "replaced");
    image.writer().rename(from, "moved", to, "replaced", RenameMode::replace);
    CHECK(links_of(image, from) == 2);
    CHECK(links_of(image, to) == 3);
    CHECK(image.fs().lookup(moved, "..") == to);
    CHECK_FALSE(image.fs().lookup(from, "moved").has_value());
    CHECK(image.fsck() == "");
  }
}

TEST_CASE("ext4 names: a directory cannot be moved into itself") {
  Ext4Image image("-t ext4");
  const InodeNumber outer = image.make_directory(image.root(), "outer");
  const InodeNumber inner = image.make_directory(outer, "inner");
  auto& writer = image.writer();
  CHECK(code_of([&] { writer.rename(image.root(), "outer", inner, "x", RenameMode::replace); }) ==
        EINVAL);
  CHECK(code_of([&] {
          writer.rename(outer, "inner", image.root(), "outer", RenameMode::exchange);
        }) == EINVAL);
  CHECK(image.fsck() == "");
}

TEST_CASE("ext4 names: renaming obeys its modes") {
  Ext4Image image("-t ext4");
  const InodeNumber directory = image.make_directory(image.root(), "directory");
  const InodeNumber file = image.put(image.root(), "file", "file");
  const InodeNumber other = image.put(directory, "other", "other");
  auto& writer = image.writer();
  CHECK(code_of([&] {
          writer.rename(image.root(), "file", directory, "other", RenameMode::no_replace);
        }) == EEXIST);
  CHECK(code_of([&] {
          writer.rename(image.root(), "file", image.root(), "none", RenameMode::exchange);
        }) == ENOENT);
  writer.rename(image.root(), "directory", image.root(), "file", RenameMode::exchange);
  CHECK(image.find("file") == directory);
  CHECK(image.find("directory") == file);
  CHECK(links_of(image, image.root()) == 4);
  writer.rename(image.root(), "directory", directory, "third", RenameMode::whiteout);
  const Attributes whiteout = image.fs().attributes(image.find("directory"));
  CHECK(whiteout.mode == S_IFCHR);
  CHECK(whiteout.device_major == 0);
  writer.rename(directory, "third", directory, "other", RenameMode::replace);
  CHECK(links_of(image, other) == 0);
  CHECK(image.content(image.find("file/other")) == "file");
  CHECK(image.fsck() == "");
}

TEST_CASE("ext4 names: a link beyond 65000 is EMLINK, a 65000th subdirectory is counted as many") {
  Ext4Image image("-t ext4 -N 70000 -b 1024", 96);
  const InodeNumber file = image.make(image.root(), "file").inode;
  // The count is set by debugfs: making the names takes too long.
  image.close();
  test::must_run("debugfs -w -R 'sif file links_count 64999' " + image.path());
  Ext4Image again(image, image.path());
  again.writer().link(file, again.root(), "last");
  CHECK(code_of([&] { again.writer().link(file, again.root(), "too many"); }) == EMLINK);
}

TEST_CASE("ext4 names: files in a set-group-ID directory get its group, directories the bit too") {
  Ext4Image image("-t ext4");
  const InodeNumber directory =
      image.writer().make_directory(image.root(), "shared", {S_IFDIR | S_ISGID | 0775, 5, 7}).inode;
  CHECK(image.writer().create(directory, "file", {S_IFREG | 0644, 1, 2}).gid == 7);
  const Attributes made = image.writer().make_directory(directory, "d", {S_IFDIR | 0755, 1, 2});
  CHECK(made.gid == 7);
  CHECK((made.mode & S_ISGID) != 0);
  CHECK(image.fsck() == "");
}

TEST_CASE("ext4 names: a casefolded directory takes names in any case for one") {
  Ext4Image image("-t ext4 -O casefold");
  image.close();
  test::must_run("debugfs -w -R 'mkdir folded' " + image.path() +
                 " && debugfs -w -R 'sif folded flags 0x40080000' " + image.path());
  Ext4Image again(image, image.path());
  const InodeNumber directory = again.find("folded");
  for (int index = 0; index < 300; ++index) {
    again.make(directory, "Name-\xC3\x84-" + std::to_string(index) + std::string(20, 'n'));
  }
  CHECK(code_of([&] { again.make(directory, "nAME-\xC3\xA4-77" + std::string(20, 'N')); }) ==
        EEXIST);
  again.writer().unlink(directory, "NAME-\xC3\xA4-78" + std::string(20, 'N'));
  CHECK(again.fsck() == "");
}

TEST_CASE("ext4 names: a name is not taken from an immutable or append-only directory") {
  for (const char* flags : {"0x80010", "0x80020"}) {
    CAPTURE(flags);
    Ext4Image image("-t ext4");
    image.make(image.make_directory(image.root(), "kept"), "file");
    image.close();
    test::must_run(std::string("debugfs -w -R 'sif kept flags ") + flags + "' " + image.path());
    Ext4Image again(image, image.path());
    const InodeNumber directory = again.find("kept");
    CHECK(code_of([&] { again.writer().unlink(directory, "file"); }) == EPERM);
    const bool immutable = std::string(flags) == "0x80010";
    CHECK(code_of([&] { again.make(directory, "new"); }) == (immutable ? EPERM : 0));
  }
}
