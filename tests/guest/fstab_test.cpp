#include "guest/fstab.h"

#include <doctest/doctest.h>

namespace vimg {
namespace {

std::vector<FstabLine> parsed(std::string_view text) {
  std::vector<std::string> problems;
  const auto lines = parse_fstab(text, problems);
  CHECK(problems.empty());
  return lines;
}

FstabKind kind_of(std::string_view line) {
  const auto lines = parsed(line);
  REQUIRE(lines.size() == 1);
  return lines.front().kind;
}

std::string order_of(std::string_view text) {
  std::string order;
  for (const FstabLine& line : mount_order(parsed(text))) {
    order += line.mountpoint + " ";
  }
  return order;
}

TEST_CASE("fstab: comments and blank lines are no lines") {
  const auto lines = parsed(
      "# a comment\n\n   \t\n  # UUID=x / ext4\nUUID=a-b\t/  ext4 defaults,ro 0 1\r\n"
      "LABEL=x#y /#home xfs");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].source == "UUID=a-b");
  CHECK(lines[0].mountpoint == "/");
  CHECK(lines[0].type == "ext4");
  CHECK(lines[0].options == std::vector<std::string>{"defaults", "ro"});
  CHECK(lines[1].source == "LABEL=x#y");
  CHECK(lines[1].mountpoint == "/#home");
  CHECK(lines[1].options.empty());
}

TEST_CASE("fstab: octal escapes are decoded, anything else stays") {
  const auto lines =
      parsed("LABEL=My\\040Disk /mnt/a\\011b\\134c ext4\nLABEL=\\9\\04 /\\777x ext4");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].source == "LABEL=My Disk");
  CHECK(lines[0].mountpoint == "/mnt/a\tb\\c");
  CHECK(lines[1].source == "LABEL=\\9\\04");
  CHECK(lines[1].mountpoint == "/\\777x");
}

TEST_CASE("fstab: a line of two fields is a problem, and the others stay") {
  std::vector<std::string> problems;
  const auto lines = parse_fstab("UUID=x /broken\nUUID=y / ext4\n", problems);
  CHECK(lines.size() == 1);
  REQUIRE(problems.size() == 1);
  CHECK(problems.front() == "/etc/fstab: 'UUID=x /broken' is no mount");
}

TEST_CASE("fstab: what is no file system of the disks is told apart") {
  CHECK(kind_of("/dev/sda1 / ext4") == FstabKind::volume);
  CHECK(kind_of("/dev/sda1 /mnt auto nofail") == FstabKind::volume);
  CHECK(kind_of("UUID=x none swap sw 0 0") == FstabKind::skipped);
  CHECK(kind_of("/swapfile swap swap") == FstabKind::skipped);
  CHECK(kind_of("proc /proc proc") == FstabKind::skipped);
  CHECK(kind_of("tmpfs /tmp tmpfs size=1g") == FstabKind::skipped);
  CHECK(kind_of("/dev/sr0 /media/cdrom0 udf,iso9660 user") == FstabKind::skipped);
  CHECK(kind_of("/dev/sdb1 /backup ext4 noauto,user") == FstabKind::skipped);
  CHECK(kind_of("/srv/www /var/www none bind") == FstabKind::bind);
  CHECK(kind_of("/srv/www /var/www none rw,rbind") == FstabKind::bind);
  CHECK(kind_of("server:/export /srv nfs4") == FstabKind::remote);
  CHECK(kind_of("//server/share /srv cifs") == FstabKind::remote);
  CHECK(kind_of("user@host:/ /srv fuse.sshfs") == FstabKind::remote);
}

TEST_CASE("fstab: the last line within the limit is read, the next is not") {
  std::string text;
  for (std::size_t i = 0; i < max_fstab_lines; ++i) {
    text += "LABEL=x /mnt/" + std::to_string(i) + " ext4\n";
  }
  CHECK(parsed(text).size() == max_fstab_lines);
  std::vector<std::string> problems;
  CHECK(parse_fstab(text + "LABEL=x /one/more ext4\n", problems).size() == max_fstab_lines);
  CHECK(problems ==
        std::vector<std::string>{"/etc/fstab: more than 256 lines, the others are left out"});
}

TEST_CASE("fstab: mount points are made normal") {
  CHECK(normal_path("/") == "/");
  CHECK(normal_path("//") == "/");
  CHECK(normal_path("/./") == "/");
  CHECK(normal_path("/var//lib/./x/") == "/var/lib/x");
  CHECK(normal_path("var").empty());
  CHECK(normal_path("").empty());
  CHECK(normal_path("/a/../b").empty());
  CHECK(normal_path("/a/..b") == "/a/..b");
}

TEST_CASE("fstab: parents are mounted before what lies in them") {
  CHECK(order_of("a /var/lib ext4\nb /boot/efi vfat\nc /var ext4\nd /boot ext4\ne / ext4\n") ==
        "/ /var /boot /var/lib /boot/efi ");
}

TEST_CASE("fstab: a bind mount waits for where its source lies") {
  CHECK(order_of("/srv/data/x /data none bind\nb /srv/data ext4\nc / ext4\nd /data/y ext4\n") ==
        "/ /srv/data /data /data/y ");
}

TEST_CASE("fstab: a name that begins like another is not below it") {
  CHECK(order_of("/usrlocal/x /a none bind\nb /usr ext4\n") == "/a /usr ");
}

TEST_CASE("fstab: lines that wait for one another are all taken") {
  CHECK(order_of("/b/x /a none bind\n/a/x /b none bind\n") == "/a /b ");
}

}  // namespace
}  // namespace vimg
