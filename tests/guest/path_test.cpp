#include "guest/path.h"

#include <cerrno>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "tests/guest/tree_filesystem.h"

namespace vimg {
namespace {

using test::make_tree;

std::optional<std::string> text(const GuestTree& tree, std::string_view path) {
  return read_text(tree, path, 1024);
}

int error_of(const GuestTree& tree, std::string_view path) {
  try {
    tree.resolve(path);
  } catch (const Error& error) {
    return error.code();
  }
  return 0;
}

GuestTree valid_tree() {
  return GuestTree(make_tree({{{"etc/os-release", "top"}, {"usr/lib/file", "lib"}, {"srv/", ""}},
                              {{"lib", "usr/lib"},
                               {"absolute", "/usr/lib/file"},
                               {"outside", "../../../../etc/os-release"},
                               {"usr/up", "../etc"},
                               {"dangling", "nowhere"}}}));
}

TEST_CASE("path: slashes, dots and a missing first slash change nothing") {
  const GuestTree tree = valid_tree();
  CHECK(text(tree, "/usr/lib/file") == "lib");
  CHECK(text(tree, "usr//./lib/../lib/file") == "lib");
  CHECK(tree.resolve("/") == tree.root());
  CHECK(tree.resolve("") == tree.root());
}

TEST_CASE("path: links are followed inside the tree only") {
  const GuestTree tree = valid_tree();
  CHECK(text(tree, "/lib/file") == "lib");
  CHECK(text(tree, "/absolute") == "lib");
  CHECK(text(tree, "/outside") == "top");
  CHECK(text(tree, "/usr/up/os-release") == "top");
  CHECK(text(tree, "/../../etc/os-release") == "top");
}

TEST_CASE("path: what does not exist is nothing") {
  const GuestTree tree = valid_tree();
  CHECK_FALSE(tree.resolve("/etc/passwd"));
  CHECK_FALSE(tree.resolve("/no/such/directory"));
  CHECK_FALSE(tree.resolve("/dangling"));
}

TEST_CASE("path: the last link can be kept") {
  const GuestTree tree = valid_tree();
  const auto link = tree.resolve("/dangling", LastLink::keep);
  REQUIRE(link);
  CHECK(tree.filesystem(*link).symlink_target(link->inode) == "nowhere");
  CHECK(tree.resolve("/lib/", LastLink::keep) == tree.resolve("/usr/lib"));
}

TEST_CASE("path: a file is no directory") {
  const GuestTree tree = valid_tree();
  CHECK(error_of(tree, "/etc/os-release/x") == ENOTDIR);
  CHECK(error_of(tree, "/etc/os-release/") == ENOTDIR);
}

TEST_CASE("path: forty links are followed, and no more") {
  test::TreeContent content;
  content.files["end"] = "found";
  for (int i = 1; i <= 41; ++i) {
    content.links["l" + std::to_string(i)] = i == 1 ? "end" : "l" + std::to_string(i - 1);
  }
  const GuestTree tree(make_tree(content));
  CHECK(text(tree, "/l40") == "found");
  CHECK(error_of(tree, "/l41") == ELOOP);
}

TEST_CASE("path: a link to itself ends") {
  const GuestTree tree(make_tree({{}, {{"loop", "loop/loop/loop"}}}));
  CHECK(error_of(tree, "/loop") == ELOOP);
}

TEST_CASE("path: links cannot pile up a path without end") {
  std::string target = "loop";
  while (target.size() + 7 <= GuestTree::max_path_bytes) {
    target += "/./loop";
  }
  const GuestTree tree(make_tree({{}, {{"loop", target}}}));
  CHECK(error_of(tree, "/loop") == ENAMETOOLONG);
}

TEST_CASE("path: a path may be as long as Linux allows") {
  const GuestTree tree = valid_tree();
  CHECK(tree.resolve(std::string(GuestTree::max_path_bytes, '/')) == tree.root());
  CHECK(error_of(tree, std::string(GuestTree::max_path_bytes + 1, '/')) == ENAMETOOLONG);
}

TEST_CASE("path: a mounted file system hides the directory it is mounted on") {
  GuestTree tree = valid_tree();
  tree.mount("/srv", make_tree({{{"data", "mounted"}, {"deep/", ""}}, {{"back", "../lib/file"}}}));
  CHECK(text(tree, "/srv/data") == "mounted");
  CHECK(text(tree, "/srv/back") == "lib");
  CHECK(tree.resolve("/srv/..") == tree.root());
  tree.mount("/srv/deep", make_tree({{{"data", "deeper"}}, {}}));
  CHECK(text(tree, "/srv/deep/data") == "deeper");
  CHECK(text(tree, "/srv/deep/../data") == "mounted");
}

TEST_CASE("path: what is mounted last on a directory is seen") {
  GuestTree tree = valid_tree();
  tree.mount("/srv", make_tree({{{"data", "first"}}, {}}));
  tree.mount("/srv", make_tree({{{"data", "second"}}, {}}));
  CHECK(text(tree, "/srv/data") == "second");
}

TEST_CASE("path: a mount point is resolved as the guest would") {
  GuestTree tree = valid_tree();
  tree.mount("/lib", make_tree({{{"data", "mounted"}}, {}}));
  CHECK(text(tree, "/usr/lib/data") == "mounted");
}

TEST_CASE("path: a directory bound elsewhere is seen twice, and not in itself for ever") {
  GuestTree tree = valid_tree();
  tree.bind("/srv", "/");
  CHECK(text(tree, "/srv/etc/os-release") == "top");
  CHECK(tree.resolve("/srv/srv"));
  CHECK_FALSE(tree.resolve("/srv/srv/etc"));
  CHECK(tree.resolve("/srv/etc/../..") == tree.root());
}

TEST_CASE("path: only a directory can be mounted on") {
  GuestTree tree = valid_tree();
  CHECK_THROWS_WITH_AS(tree.mount("/no", make_tree({})), "path: '/no' does not exist", Error);
  CHECK_THROWS_WITH_AS(tree.mount("/etc/os-release", make_tree({})),
                       "path: '/etc/os-release' is not a directory", Error);
}

TEST_CASE("read_text: a file may be as long as the limit") {
  const GuestTree tree(make_tree({{{"file", "12345678"}, {"directory/", ""}}, {}}));
  CHECK(read_text(tree, "file", 8) == "12345678");
  CHECK_THROWS_WITH_AS(read_text(tree, "file", 7), "path: 'file' is longer than 7 bytes", Error);
  CHECK_FALSE(read_text(tree, "directory", 8));
  CHECK_FALSE(read_text(tree, "nothing", 8));
}

}  // namespace
}  // namespace vimg
