#include "guest/os_release.h"

#include <doctest/doctest.h>

#include "tests/guest/tree_filesystem.h"

namespace vimg {
namespace {

Release release_of(const test::TreeContent& content) {
  return read_release(GuestTree(test::make_tree(content)));
}

std::string hostname_of(const test::TreeContent& content) {
  return read_hostname(GuestTree(test::make_tree(content)));
}

TEST_CASE("os-release: values are read as a shell would") {
  auto variables = parse_os_release(
      "# comment\nID=debian\nNAME=\"Debian GNU/Linux\"\nA='single \\n'\nB=\"a \\\"b\\\" \\\\c\"\n"
      "EMPTY=\n not a line\n=x\nBAD-NAME=1\nURL=https://x/?a=b\r\nOPEN=\"never closed");
  CHECK(variables["ID"] == "debian");
  CHECK(variables["NAME"] == "Debian GNU/Linux");
  CHECK(variables["A"] == "single \\n");
  CHECK(variables["B"] == "a \"b\" \\c");
  CHECK(variables["URL"] == "https://x/?a=b");
  CHECK(variables["OPEN"] == "never closed");
  CHECK(variables.contains("EMPTY"));
  CHECK_FALSE(variables.contains("BAD-NAME"));
  CHECK_FALSE(variables.contains(""));
}

TEST_CASE("release: a link to /usr is followed inside the guest") {
  const Release release = release_of(
      {{{"usr/lib/os-release", "ID=debian\nPRETTY_NAME=\"Debian 12\"\nVERSION_ID=\"12\"\n"}},
       {{"etc/os-release", "/usr/lib/os-release"}}});
  CHECK(release.id == "debian");
  CHECK(release.name == "Debian 12");
  CHECK(release.version == "12");
}

TEST_CASE("release: a link that leads to itself is no file") {
  CHECK(release_of({{}, {{"etc/os-release", "os-release"}}}).id.empty());
}

TEST_CASE("release: older distributions are known by their own files") {
  const Release centos =
      release_of({{{"etc/redhat-release", "CentOS release 6.10 (Final)\n"}}, {}});
  CHECK(centos.id == "centos");
  CHECK(centos.name == "CentOS release 6.10 (Final)");
  CHECK(centos.version == "6.10");
  const Release debian = release_of({{{"etc/debian_version", "7.11\n"}}, {}});
  CHECK(debian.name == "Debian GNU/Linux 7.11");
  CHECK(debian.version == "7.11");
  const Release ubuntu = release_of({{{"etc/lsb-release",
                                       "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=12.04\n"
                                       "DISTRIB_DESCRIPTION=\"Ubuntu 12.04 LTS\"\n"},
                                      {"etc/debian_version", "wheezy/sid\n"}},
                                     {}});
  CHECK(ubuntu.id == "ubuntu");
  CHECK(ubuntu.version == "12.04");
}

TEST_CASE("release: a file beyond all measure is no file") {
  CHECK(release_of({{{"etc/os-release", "ID=x\n" + std::string(65536, '#')}}, {}}).id.empty());
}

TEST_CASE("hostname: the first line that is no comment") {
  CHECK(hostname_of({{{"etc/hostname", "# set by x\n\n  box.example \nother\n"}}, {}}) ==
        "box.example");
  CHECK(hostname_of({{{"etc/sysconfig/network", "NETWORKING=yes\nHOSTNAME=old\n"}}, {}}) == "old");
  CHECK(hostname_of({{{"etc/x", ""}}, {}}).empty());
}

}  // namespace
}  // namespace vimg
