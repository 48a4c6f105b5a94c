#include "fuse/privileges.h"

#include <sys/stat.h>

#include <doctest/doctest.h>

#include "fuse/init_flags.h"

using namespace vimg;

TEST_CASE("privileges: SUID goes, and SGID where the group may execute") {
  CHECK(without_privileges(S_IFREG | 06755) == (S_IFREG | 0755));
  CHECK(without_privileges(S_IFREG | 06745) == (S_IFREG | 02745));
  CHECK(without_privileges(S_IFREG | 0755) == (S_IFREG | 0755));
}

TEST_CASE("privileges: directories keep SGID") {
  CHECK(without_privileges(S_IFDIR | 02775) == (S_IFDIR | 02775));
}

TEST_CASE("init flags: they are added to those of the answer") {
  std::uint32_t answer[16] = {7, 45, 0, 0x21};
  char header[16] = {};
  const iovec parts[] = {{header, sizeof(header)}, {answer, sizeof(answer)}};
  add_init_flags(parts, 2);
  CHECK(answer[3] == (0x21U | 1U << 28));
}

TEST_CASE("init flags: an error stays as it is") {
  char header[16] = {};
  const iovec parts[] = {{header, sizeof(header)}};
  add_init_flags(parts, 1);
  CHECK(header[12] == 0);
}
