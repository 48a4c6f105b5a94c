#include "fuse/volume_claims.h"

#include <cerrno>

#include <doctest/doctest.h>

#include "disk/error.h"

using namespace vimg;

namespace {

// Volume 0 is a disk, 1 and 2 its partitions.
VolumeClaims disk_with_two_partitions() { return VolumeClaims({{0, 1, 2}, {1, 0}, {2, 0}}); }

template <typename Action>
int code_of(Action&& action) {
  try {
    action();
    return 0;
  } catch (const Error& error) {
    return error.code();
  }
}

}  // namespace

TEST_CASE("claims: a volume whose tree is written cannot be opened for writing") {
  VolumeClaims claims = disk_with_two_partitions();
  claims.claim_tree(1);
  CHECK(code_of([&] { claims.open_file(1); }) == EBUSY);
}

TEST_CASE("claims: nor can the disk below it, but another partition can") {
  VolumeClaims claims = disk_with_two_partitions();
  claims.claim_tree(1);
  CHECK(code_of([&] { claims.open_file(0); }) == EBUSY);
  CHECK(code_of([&] { claims.open_file(2); }) == 0);
}

TEST_CASE("claims: while a volume is open for writing its tree is busy") {
  VolumeClaims claims = disk_with_two_partitions();
  claims.open_file(0);
  CHECK(code_of([&] { claims.check_tree(1); }) == EBUSY);
  CHECK(code_of([&] { claims.claim_tree(2); }) == EBUSY);
  claims.close_file(0);
  CHECK(code_of([&] { claims.check_tree(1); }) == 0);
}

TEST_CASE("claims: after a volume was written its tree is stale, and others are not") {
  VolumeClaims claims = disk_with_two_partitions();
  claims.open_file(1);
  claims.note_write(1);
  claims.close_file(1);
  CHECK(code_of([&] { claims.check_tree(1); }) == ESTALE);
  CHECK(code_of([&] { claims.check_tree(2); }) == 0);
}

TEST_CASE("claims: a volume may be opened for writing by several") {
  VolumeClaims claims = disk_with_two_partitions();
  claims.open_file(1);
  claims.open_file(1);
  claims.close_file(1);
  CHECK(code_of([&] { claims.check_tree(1); }) == EBUSY);
}
