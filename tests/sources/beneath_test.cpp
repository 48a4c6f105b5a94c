#include "sources/beneath.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/host.h"

namespace vimg {
namespace {

using Open = std::function<BeneathResult(int, const std::string&, int)>;
// Whatever one promises the other has to keep.
const std::vector<std::pair<const char*, Open>> both{{"openat2", open_beneath},
                                                     {"by hand", open_beneath_by_hand}};

// outside, and root/ with file, sub/inner, links of all kinds.
struct Tree {
  test::TemporaryDirectory directory;
  std::string root = directory / "root";
  int fd;

  Tree() {
    std::filesystem::create_directories(root + "/sub/deeper");
    for (const char* const file : {"/outside", "/root/file", "/root/sub/inner"}) {
      test::write_file(directory.path() + file, std::vector<std::byte>(std::string(file).size()));
    }
    std::filesystem::create_symlink("file", root + "/link");
    std::filesystem::create_symlink("../outside", root + "/escape");
    std::filesystem::create_symlink("/etc", root + "/etc");
    std::filesystem::create_symlink("sub", root + "/sublink");
    std::filesystem::create_symlink("nowhere", root + "/dangling");
    std::filesystem::create_symlink("circle", root + "/circle");
    fd = open(root.c_str(), O_PATH | O_DIRECTORY);
  }
  ~Tree() { close(fd); }
};

TEST_CASE("beneath: what lies in the directory is opened, however roundabout its name") {
  const Tree tree;
  for (const auto& [kind, open] : both) {
    CAPTURE(kind);
    for (const char* const name : {"file", "./file", "sub/inner", "sub//inner", "sub/../file",
                                   "sub/deeper/../../file", "sub/./deeper/../inner"}) {
      CAPTURE(name);
      const BeneathResult result = open(tree.fd, name, O_RDONLY);
      CHECK(result.error == 0);
      struct stat status = {};
      REQUIRE(fstat(result.fd.get(), &status) == 0);
      const std::string seen =
          std::string(name).ends_with("inner") ? "/root/sub/inner" : "/root/file";
      CHECK(std::size_t(status.st_size) == seen.size());
    }
  }
}

TEST_CASE("beneath: no name climbs out of the directory") {
  const Tree tree;
  for (const auto& [kind, open] : both) {
    CAPTURE(kind);
    const std::string absolute = tree.root + "/file";
    for (const std::string& name :
         {std::string("../outside"), std::string("sub/../../outside"), std::string("../root/file"),
          std::string("sub/deeper/../../../outside"), std::string(".."), std::string("/etc/passwd"),
          absolute}) {
      CAPTURE(name);
      for (const int flags : {O_RDONLY, O_PATH}) {
        CHECK(open(tree.fd, name, flags).error == EXDEV);
      }
    }
  }
}

TEST_CASE("beneath: no symbolic link is followed, inside or out, last or on the way") {
  const Tree tree;
  for (const auto& [kind, open] : both) {
    CAPTURE(kind);
    for (const char* const name : {"link", "escape", "sublink/inner", "sublink/../file",
                                   "etc/passwd", "dangling", "circle", "circle/x"}) {
      CAPTURE(name);
      for (const int flags : {O_RDONLY, O_RDWR, O_PATH}) {
        CHECK(open(tree.fd, name, flags).error == ELOOP);
      }
    }
  }
}

TEST_CASE("beneath: the kernel's magic links are links too") {
  const FileDescriptor self(open("/proc/self", O_PATH | O_DIRECTORY));
  const FileDescriptor etc(open("/etc", O_PATH | O_DIRECTORY));
  const std::string name = "fd/" + std::to_string(etc.get()) + "/passwd";
  for (const auto& [kind, open] : both) {
    CAPTURE(kind);
    CHECK(open(self.get(), name, O_RDONLY).error == ELOOP);
    CHECK(open(self.get(), "root/etc/passwd", O_RDONLY).error == ELOOP);
    CHECK(open(self.get(), "exe", O_RDONLY).error == ELOOP);
  }
}

TEST_CASE("beneath: what is not there, or not a directory, says so") {
  const Tree tree;
  for (const auto& [kind, open] : both) {
    CAPTURE(kind);
    CHECK(open(tree.fd, "missing", O_RDONLY).error == ENOENT);
    CHECK(open(tree.fd, "missing/file", O_RDONLY).error == ENOENT);
    CHECK(open(tree.fd, "", O_RDONLY).error == ENOENT);
    CHECK(open(tree.fd, "file/x", O_RDONLY).error == ENOTDIR);
    CHECK(open(tree.fd, "file/", O_RDONLY).error == ENOTDIR);
    CHECK(open(tree.fd, std::string(NAME_MAX + 1, 'x'), O_RDONLY).error == ENAMETOOLONG);
    CHECK(open(tree.fd, std::string(PATH_MAX, '.'), O_RDONLY).error == ENAMETOOLONG);
  }
}

TEST_CASE("beneath: a directory moved out while the name is resolved leads nowhere else") {
  // The by-hand walk never asks for "..", so moving what it stands in does not move what it climbs
  // to.
  const Tree tree;
  const BeneathResult before = open_beneath_by_hand(tree.fd, "sub/deeper/../../file", O_RDONLY);
  std::filesystem::rename(tree.root + "/sub/deeper", tree.directory / "moved");
  std::filesystem::create_directory_symlink(tree.directory / "moved", tree.root + "/sub/deeper");
  CHECK(before.error == 0);
  CHECK(open_beneath_by_hand(tree.fd, "sub/deeper/../../file", O_RDONLY).error == ELOOP);
  CHECK(open_beneath(tree.fd, "sub/deeper/../../file", O_RDONLY).error == ELOOP);
}

}  // namespace
}  // namespace vimg
