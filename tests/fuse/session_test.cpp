#include "fuse/session.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>

#include <doctest/doctest.h>

#include "tests/fuse/served_memory.h"

using namespace vimg;
using namespace vimg::test;

namespace {

constexpr InodeNumber root = MemoryFileSystem::root_inode;

std::string text_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct stat status_of(const std::string& path) {
  struct stat status {};
  REQUIRE(lstat(path.c_str(), &status) == 0);
  return status;
}

}  // namespace

TEST_CASE("session: a file shows its attributes and its bytes") {
  if (!can_mount()) {
    return;
  }
  const auto filesystem = std::make_shared<MemoryFileSystem>();
  const Attributes file = add_file(*filesystem, root, "hello", "some text");
  const MemoryMount mount(filesystem);
  const struct stat status = status_of(mount / "hello");
  CHECK(status.st_size == 9);
  CHECK(status.st_ino == file.inode);
  CHECK(status.st_mode == (S_IFREG | 0644));
  CHECK(text_in(mount / "hello") == "some text");
}

TEST_CASE("session: the top directory has the file system's own inode number") {
  if (!can_mount()) {
    return;
  }
  const MemoryMount mount(std::make_shared<MemoryFileSystem>());
  CHECK(status_of(mount.path()).st_ino == root);
}

TEST_CASE("session: a directory of many files lists each of them once") {
  if (!can_mount()) {
    return;
  }
  const auto filesystem = std::make_shared<MemoryFileSystem>();
  std::set<std::string> wanted;
  for (int i = 0; i < 1000; ++i) {
    wanted.insert("a-file-with-a-name-of-some-length-" + std::to_string(i));
    add_file(*filesystem, root, "a-file-with-a-name-of-some-length-" + std::to_string(i), "");
  }
  const MemoryMount mount(filesystem);
  std::multiset<std::string> seen;
  for (const auto& entry : std::filesystem::directory_iterator(mount.path())) {
    seen.insert(entry.path().filename());
  }
  CHECK(std::set(seen.begin(), seen.end()) == wanted);
  CHECK(seen.size() == wanted.size());
}

TEST_CASE("session: what a program writes is in the file system once it is synced") {
  if (!can_mount()) {
    return;
  }
  const auto filesystem = std::make_shared<MemoryFileSystem>();
  const MemoryMount mount(filesystem);
  must_run("cd " + mount.path() + " && mkdir d && echo new >d/f && sync d/f");
  const auto directory = filesystem->lookup(root, "d");
  REQUIRE(directory);
  const auto file = filesystem->lookup(*directory, "f");
  REQUIRE(file);
  CHECK(filesystem->attributes(*file).size == 4);
  CHECK(filesystem->flushes > 0);
}

TEST_CASE("session: new files belong to the guest's root and heed the umask") {
  if (!can_mount()) {
    return;
  }
  const MemoryMount mount(std::make_shared<MemoryFileSystem>());
  must_run("cd " + mount.path() + " && umask 027 && touch f && mkdir d");
  CHECK(status_of(mount / "f").st_mode == (S_IFREG | 0640));
  CHECK(status_of(mount / "d").st_mode == (S_IFDIR | 0750));
  CHECK(status_of(mount / "f").st_uid == 0);
}

TEST_CASE("session: an unlinked file lives until it is closed") {
  if (!can_mount()) {
    return;
  }
  const auto filesystem = std::make_shared<MemoryFileSystem>();
  add_file(*filesystem, root, "f", "still here");
  const MemoryMount mount(filesystem);
  const int fd = open((mount / "f").c_str(), O_RDONLY);
  REQUIRE(fd >= 0);
  REQUIRE(unlink((mount / "f").c_str()) == 0);
  char buffer[10];
  CHECK(read(fd, buffer, sizeof(buffer)) == 10);
  CHECK(filesystem->orphans().size() == 1);
  close(fd);
}

TEST_CASE("session: what has no name left is released when the kernel forgets it") {
  if (!can_mount()) {
    return;
  }
  const auto filesystem = std::make_shared<MemoryFileSystem>();
  MemoryMount mount(filesystem);
  must_run("cd " + mount.path() + " && touch a b && ln a c && rm a b");
  CHECK(status_of(mount / "c").st_nlink == 1);
  mount.unmount();
  // The kernel may end the connection before its last forgets; the mount's end does the rest.
  CHECK(filesystem->inode_count() - filesystem->orphans().size() == 2);
}

TEST_CASE("session: renames with all flags do what they say") {
  if (!can_mount()) {
    return;
  }
  const auto filesystem = std::make_shared<MemoryFileSystem>();
  add_file(*filesystem, root, "a", "1");
  add_file(*filesystem, root, "b", "22");
  const MemoryMount mount(filesystem);
  const std::string a = mount / "a", b = mount / "b";
  CHECK(renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_NOREPLACE) == -1);
  CHECK(errno == EEXIST);
  CHECK(renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0);
  CHECK(text_in(a) == "22");
  CHECK(renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), 0) == 0);
  CHECK(text_in(b) == "22");
  CHECK(access(a.c_str(), F_OK) == -1);
}

TEST_CASE("session: extended attributes are set, listed, read and removed") {
  if (!can_mount()) {
    return;
  }
  const auto filesystem = std::make_shared<MemoryFileSystem>();
  add_file(*filesystem, root, "f", "");
  const MemoryMount mount(filesystem);
  const std::string path = mount / "f";
  char value[16];
  CHECK(getxattr(path.c_str(), "user.k", value, sizeof(value)) == -1);
  CHECK(errno == ENODATA);
  REQUIRE(setxattr(path.c_str(), "user.k", "value", 5, XATTR_CREATE) == 0);
  CHECK(setxattr(path.c_str(), "user.k", "value", 5, XATTR_CREATE) == -1);
  CHECK(errno == EEXIST);
  CHECK(listxattr(path.c_str(), nullptr, 0) == 7);
  CHECK(getxattr(path.c_str(), "user.k", value, sizeof(value)) == 5);
  CHECK(getxattr(path.c_str(), "user.k", value, 2) == -1);
  CHECK(errno == ERANGE);
  CHECK(removexattr(path.c_str(), "user.k") == 0);
  CHECK(listxattr(path.c_str(), nullptr, 0) == 0);
}

TEST_CASE("session: a read-only mount refuses every change") {
  if (!can_mount()) {
    return;
  }
  const auto filesystem = std::make_shared<MemoryFileSystem>();
  add_file(*filesystem, root, "f", "");
  const MemoryMount mount(filesystem, MountAccess::read_only);
  CHECK(open((mount / "f").c_str(), O_WRONLY) == -1);
  CHECK(errno == EROFS);
  CHECK(mkdir((mount / "d").c_str(), 0755) == -1);
  CHECK(errno == EROFS);
}

TEST_CASE("session: SUID and SGID go when another than root writes the file") {
  if (!can_mount()) {
    return;
  }
  const auto filesystem = std::make_shared<MemoryFileSystem>();
  const Attributes file = add_file(*filesystem, root, "f", "x");
  AttributeChange privileged;
  privileged.permissions = 06777;
  filesystem->change(file.inode, privileged);
  const MemoryMount mount(filesystem);
  must_run("echo y >>" + (mount / "f"));
  CHECK((status_of(mount / "f").st_mode & 07777) == 06777);  // root keeps them
  REQUIRE(chown((mount / "f").c_str(), 5, 5) == 0);
  CHECK((status_of(mount / "f").st_mode & 07777) == 0777);
}

TEST_CASE("session: a write by another user takes SUID away, and stat shows it") {
  if (!can_mount() || geteuid() != 0) {
    MESSAGE("skipped: only root can become another user");
    return;
  }
  const auto filesystem = std::make_shared<MemoryFileSystem>();
  const Attributes file = add_file(*filesystem, root, "f", "x");
  AttributeChange privileged;
  privileged.permissions = 04777;
  filesystem->change(file.inode, privileged);
  const MemoryMount mount(filesystem, MountAccess::read_write, {"allow_other"});
  CHECK((status_of(mount / "f").st_mode & 07777) == 04777);
  must_run("setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'echo y >>" + (mount / "f") +
           "'");
  CHECK((status_of(mount / "f").st_mode & 07777) == 0777);
  CHECK(text_in(mount / "f") == "xy\n");
}

TEST_CASE("session: truncation at open and by call") {
  if (!can_mount()) {
    return;
  }
  const auto filesystem = std::make_shared<MemoryFileSystem>();
  add_file(*filesystem, root, "f", "0123456789");
  const MemoryMount mount(filesystem);
  REQUIRE(truncate((mount / "f").c_str(), 4) == 0);
  CHECK(text_in(mount / "f") == "0123");
  must_run("echo z >" + (mount / "f"));
  CHECK(text_in(mount / "f") == "z\n");
}
