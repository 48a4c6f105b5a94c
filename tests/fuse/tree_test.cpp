#include "fuse/tree.h"

#include <sys/stat.h>

#include <cerrno>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "tests/fuse/served_memory.h"

using namespace vimg;
using namespace vimg::test;

namespace {

constexpr InodeNumber root = MemoryFileSystem::root_inode;

VirtualNode volume(std::size_t index) { return {.kind = VirtualKind::volume, .volume = index}; }

const VirtualNode& top(const Tree& tree) { return *tree.place(root_node).virtual_node; }

}  // namespace

TEST_CASE("tree: a path makes the directories on its way") {
  Tree tree;
  tree.add("volumes/vg0/root", volume(3));
  tree.add("volumes/vg0/var", volume(4));
  const VirtualNode* volumes = tree.child(top(tree), "volumes");
  REQUIRE(volumes);
  CHECK(volumes->children.size() == 1);
  const VirtualNode* group = tree.child(*volumes, "vg0");
  REQUIRE(group);
  CHECK(group->kind == VirtualKind::directory);
  REQUIRE(tree.child(*group, "var"));
  CHECK(tree.child(*group, "var")->volume == 4);
  CHECK(tree.child(*group, "absent") == nullptr);
}

TEST_CASE("tree: a name that is taken gets a number") {
  Tree tree;
  tree.add("volumes/p1", volume(0));
  tree.add("volumes/p1/root", volume(1));  // a volume group called like a partition
  const VirtualNode* volumes = tree.child(top(tree), "volumes");
  REQUIRE(volumes);
  CHECK(tree.child(*volumes, "p1")->kind == VirtualKind::volume);
  REQUIRE(tree.child(*volumes, "p1@2"));
  CHECK(tree.child(*volumes, "p1@2")->kind == VirtualKind::directory);
}

TEST_CASE("tree: virtual nodes are found by the number they were given") {
  Tree tree;
  tree.add("disks/disk0", volume(0));
  const VirtualNode* disks = tree.child(top(tree), "disks");
  REQUIRE(disks);
  CHECK(tree.place(tree.node(*disks)).virtual_node == disks);
  CHECK(tree.node(top(tree)) == root_node);
}

TEST_CASE("tree: a number that was never given is stale") {
  Tree tree;
  CHECK_THROWS_AS(tree.place(0), Error);
  CHECK_NOTHROW(tree.place(1));
  CHECK_THROWS_AS(tree.place(2), Error);
  CHECK_THROWS_AS(tree.place(node_id(0, 5)), Error);
}

TEST_CASE("tree: a file has one node in all views, a directory one in each") {
  Tree tree;
  ServedFileSystem& served = tree.add_filesystem(source_of(std::make_shared<MemoryFileSystem>()));
  const View& one = tree.add_view(served);
  const View& other = tree.add_view(served);
  CHECK(tree.node(one, 9, S_IFREG) == tree.node(other, 9, S_IFREG));
  CHECK(tree.node(one, 9, S_IFDIR) != tree.node(other, 9, S_IFDIR));
  CHECK(one.shared);
  CHECK(other.shared);
}

TEST_CASE("tree: files of two file systems never have the same inode number") {
  Tree tree;
  const View& one =
      tree.add_view(tree.add_filesystem(source_of(std::make_shared<MemoryFileSystem>())));
  const View& other =
      tree.add_view(tree.add_filesystem(source_of(std::make_shared<MemoryFileSystem>())));
  CHECK(tree.shown_inode(one, 9) != tree.shown_inode(other, 9));
}

TEST_CASE("tree: a file system at the root keeps its own inode numbers") {
  Tree tree;
  const View& view =
      tree.add_view(tree.add_filesystem(source_of(std::make_shared<MemoryFileSystem>())));
  tree.show_at_root(view);
  CHECK(tree.shown_inode(view, 9) == 9);
  CHECK(tree.node(view, root, S_IFDIR) == root_node);
  CHECK(tree.place(root_node).view == &view);
  CHECK(tree.place(root_node).inode == root);
}

TEST_CASE("tree: the last view that has a number can be added, one more cannot") {
  Tree tree;
  ServedFileSystem& served = tree.add_filesystem(source_of(std::make_shared<MemoryFileSystem>()));
  for (std::uint32_t i = 0; i < view_limit; ++i) {
    tree.add_view(served);
  }
  CHECK_THROWS_AS(tree.add_view(served), Error);
}
