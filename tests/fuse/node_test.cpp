#include "fuse/node.h"

#include <doctest/doctest.h>

using namespace vimg;

TEST_CASE("node: view and inode come back from the number") {
  const NodeId node = node_id(7, 12345);
  CHECK(view_of(node) == 7);
  CHECK(inode_of(node) == 12345);
  CHECK(!is_virtual(node));
}

TEST_CASE("node: the first inode of the first view lies above all virtual nodes") {
  CHECK(is_virtual(inode_limit - 1));
  CHECK(!is_virtual(node_id(0, 0)));
}

TEST_CASE("node: the last view and the largest inode still fit") {
  const NodeId node = node_id(view_limit - 1, inode_limit - 1);
  CHECK(view_of(node) == view_limit - 1);
  CHECK(inode_of(node) == inode_limit - 1);
}
