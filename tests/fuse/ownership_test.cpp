#include "fuse/ownership.h"

#include <doctest/doctest.h>

#include "tests/fuse/served_memory.h"

using namespace vimg;
using namespace vimg::test;

namespace {

struct State {
  Tree tree;
  ProblemLog problems{ProblemLog::Echo::off};
  VolumeClaims claims{{}};
  MountState mount{.tree = tree,
                   .problems = problems,
                   .claims = claims,
                   .volume_disk = {},
                   .report = {},
                   .owner = 1000};
};

fuse_ctx caller(uid_t uid, gid_t gid) {
  fuse_ctx context{};
  context.uid = uid;
  context.gid = gid;
  return context;
}

}  // namespace

TEST_CASE("ownership: the mounting user and root act as the guest's root") {
  const State state;
  CHECK(owner_of_new(state.mount, caller(1000, 1000)).uid == 0);
  CHECK(owner_of_new(state.mount, caller(1000, 1000)).gid == 0);
  CHECK(owner_of_new(state.mount, caller(0, 5)).gid == 0);
}

TEST_CASE("ownership: another user's files are his") {
  const State state;
  CHECK(owner_of_new(state.mount, caller(33, 44)).uid == 33);
  CHECK(owner_of_new(state.mount, caller(33, 44)).gid == 44);
}

TEST_CASE("ownership: with default_permissions everybody's files are his own") {
  State state;
  state.mount.permissions = Permissions::kernel;
  CHECK(owner_of_new(state.mount, caller(1000, 1001)).uid == 1000);
  CHECK(owner_of_new(state.mount, caller(1000, 1001)).gid == 1001);
}

TEST_CASE("ownership: the umask takes permissions away") {
  const MemoryFileSystem filesystem;
  CHECK(masked_mode(filesystem, filesystem.root(), S_IFREG | 0666, 022) == (S_IFREG | 0644));
}

TEST_CASE("ownership: in a directory with a default ACL the umask does not count") {
  MemoryFileSystem filesystem;
  filesystem.set_xattr(filesystem.root(), "system.posix_acl_default", {}, XattrMode::set);
  CHECK(masked_mode(filesystem, filesystem.root(), S_IFREG | 0666, 022) == (S_IFREG | 0666));
}
