#include "fuse/served_filesystem.h"

#include <cerrno>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "tests/fuse/served_memory.h"

using namespace vimg;
using namespace vimg::test;

namespace {

constexpr InodeNumber root = MemoryFileSystem::root_inode;

template <typename Action>
int code_of(Action&& action) {
  try {
    action();
    return 0;
  } catch (const Error& error) {
    return error.code();
  }
}

// Notes each opening, and gives a new file system each time.
ServedFileSystem::Source counting_source(std::vector<MountAccess>& openings) {
  ServedFileSystem::Source source = source_of(nullptr);
  source.open = [&openings](MountAccess access) {
    openings.push_back(access);
    return std::make_shared<MemoryFileSystem>();
  };
  return source;
}

}  // namespace

TEST_CASE("served file system: it is opened at the first use, once") {
  std::vector<MountAccess> openings;
  ServedFileSystem served(counting_source(openings));
  CHECK(openings.empty());
  CHECK(&served.reading() == &served.reading());
  CHECK(openings == std::vector{MountAccess::read_only});
}

TEST_CASE("served file system: the first change opens it for writing, and all see that") {
  std::vector<MountAccess> openings;
  ServedFileSystem served(counting_source(openings));
  const FileSystem& before = served.reading();
  CHECK(served.writer() == nullptr);
  served.writing().create(root, "f", {.mode = S_IFREG, .uid = 0, .gid = 0});
  CHECK(openings == std::vector{MountAccess::read_only, MountAccess::read_write});
  CHECK(served.reading().lookup(root, "f"));
  CHECK_FALSE(before.lookup(root, "f"));
}

TEST_CASE("served file system: an opening that fails is tried again") {
  int attempts = 0;
  ServedFileSystem::Source source = source_of(nullptr);
  source.open = [&](MountAccess) {
    if (++attempts == 1) {
      throw_error(EIO, "test", "not now");
    }
    return std::make_shared<MemoryFileSystem>();
  };
  ServedFileSystem served(std::move(source));
  CHECK(code_of([&] { served.reading(); }) == EIO);
  CHECK(code_of([&] { served.reading(); }) == 0);
}

TEST_CASE("served file system: without writing every change is EROFS") {
  ServedFileSystem served(source_of(std::make_shared<MemoryFileSystem>(), MountAccess::read_only));
  CHECK(code_of([&] { served.writing(); }) == EROFS);
}

TEST_CASE("served file system: a driver that cannot write is EROFS") {
  const auto filesystem = std::make_shared<MemoryFileSystem>();
  filesystem->read_only = true;
  ServedFileSystem served(source_of(filesystem));
  CHECK(code_of([&] { served.writing(); }) == EROFS);
  CHECK(code_of([&] { served.reading(); }) == 0);
}

TEST_CASE("served file system: a claim that is refused keeps it unopened") {
  std::vector<MountAccess> openings;
  ServedFileSystem::Source source = counting_source(openings);
  source.claim = [] { throw_error(EBUSY, "test", "taken"); };
  ServedFileSystem served(std::move(source));
  CHECK(code_of([&] { served.writing(); }) == EBUSY);
  CHECK(openings.empty());
}

TEST_CASE("served file system: an unlinked inode is released at the last forget") {
  const auto filesystem = std::make_shared<MemoryFileSystem>();
  ServedFileSystem served(source_of(filesystem));
  const InodeNumber inode = add_file(*filesystem, root, "f", "text").inode;
  served.remember(inode);
  served.remember(inode);
  served.writing().unlink(root, "f");
  served.forget(inode, 1);
  CHECK(filesystem->orphans().size() == 1);
  served.forget(inode, 1);
  CHECK(filesystem->orphans().empty());
}

TEST_CASE("served file system: at the end what is still known is released") {
  const auto filesystem = std::make_shared<MemoryFileSystem>();
  ServedFileSystem served(source_of(filesystem));
  const InodeNumber inode = add_file(*filesystem, root, "f", "text").inode;
  served.remember(inode);
  served.writing().unlink(root, "f");
  served.forget_all();
  CHECK(filesystem->orphans().empty());
}
