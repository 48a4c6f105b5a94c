#include "fuse/mount_table.h"

#include <doctest/doctest.h>

using namespace vimg;

namespace {

constexpr char table[] =
    "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "60 21 0:53 / /mnt ro,nosuid,nodev,relatime - fuse.vimgmount /a/b.qcow2 "
    "ro,user_id=1000,group_id=1000\n"
    "61 21 0:54 / /a\\040b\\134c rw - fuse.vimgmount x\\054y rw,user_id=0,group_id=0\n"
    "62 21 0:55 / /twice rw - fuse.vimgmount x rw,user_id=0,group_id=0\n"
    "63 62 0:56 / /twice rw - tmpfs tmpfs rw\n"
    "64 21 0:57 / /other rw - fuse.sshfs h: rw,user_id=7,group_id=0\n";

}  // namespace

TEST_CASE("mount table: device, source and owner of a FUSE mount") {
  const auto mount = find_fuse_mount(table, "/mnt");
  REQUIRE(mount);
  CHECK(mount->device == "0:53");
  CHECK(mount->type == "fuse.vimgmount");
  CHECK(mount->source == "/a/b.qcow2");
  CHECK(mount->owner == 1000);
}

TEST_CASE("mount table: escaped names are found by what they are") {
  const auto mount = find_fuse_mount(table, "/a b\\c");
  REQUIRE(mount);
  CHECK(mount->device == "0:54");
}

TEST_CASE("mount table: what lies under another mount is not found") {
  CHECK_FALSE(find_fuse_mount(table, "/twice"));
}

TEST_CASE("mount table: other file systems are told apart") {
  CHECK_FALSE(find_fuse_mount(table, "/"));
  CHECK_FALSE(find_fuse_mount(table, "/absent"));
  REQUIRE(find_fuse_mount(table, "/other"));
  CHECK(find_fuse_mount(table, "/other")->type == "fuse.sshfs");
}

TEST_CASE("mount table: lines that are cut short are passed over") {
  CHECK_FALSE(find_fuse_mount("60 21 0:53 / /mnt", "/mnt"));
  CHECK_FALSE(find_fuse_mount("60 21 0:53 - fuse.x y z\n\n", "/mnt"));
}
