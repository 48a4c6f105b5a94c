#include <algorithm>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "guest/guest.h"
#include "guest/mounts.h"
#include "tests/guest/guest_image.h"

namespace vimg {
namespace {

using test::GuestImage;

constexpr const char* os_release = "ID=test\nPRETTY_NAME=\"Test OS 1\"\nVERSION_ID=1\n";

std::shared_ptr<Guest> opened(const std::vector<std::string>& paths) {
  GuestOptions options;
  options.format = "raw";
  return Guest::open(paths, options);
}

// "/ p1, /var p2": where each volume is mounted, in the order of mounting.
std::string mounts_of(const OperatingSystem& system) {
  std::string text;
  for (const GuestMount& mount : system.mounts) {
    text += (text.empty() ? "" : ", ") + mount.mountpoint + " " +
            (mount.volume == nullptr ? mount.bind_path : mount.volume->name);
  }
  return text;
}

// One guest whose root holds `fstab`, with /var on the second partition and /usr on the third.
struct Inspected {
  GuestImage image;
  std::shared_ptr<Guest> guest;
  std::vector<OperatingSystem> systems;

  explicit Inspected(const std::string& fstab) {
    image.add_ext4("-L root -U aaaaaaaa-1111-2222-3333-444444444444",
                   {{{"etc/fstab", fstab},
                     {"etc/hostname", "box\n"},
                     {"usr/", ""},
                     {"var/", ""},
                     {"srv/here", "root's"},
                     {"mnt/", ""}},
                    {{"bin", "usr/bin"}, {"etc/os-release", "../usr/lib/os-release"}}});
    image.add_ext4("-L 'my var' -U bbbbbbbb-1111-2222-3333-444444444444",
                   {{{"lib/data", "var's"}, {"srv/", ""}}, {}});
    image.add_ext4("-L usr", {{{"lib/os-release", os_release}, {"bin/sh", ""}}, {}});
    image.add_made("mkswap -q $F");
    guest = opened({image.build()});
    systems = inspect(*guest);
  }

  const OperatingSystem& only() const {
    REQUIRE(systems.size() == 1);
    return systems.front();
  }
};

TEST_CASE("inspect: a root is put together by its fstab") {
  const Inspected inspected(
      "UUID=AAAAAAAA-1111-2222-3333-444444444444 / ext4 errors=remount-ro 0 1\n"
      "LABEL=my\\040var /var ext4 defaults 0 2\n"
      "/dev/vda3 /usr auto ro 0 2\n"
      "/dev/vda4 none swap sw 0 0\n"
      "tmpfs /tmp tmpfs defaults 0 0\n");
  const OperatingSystem& system = inspected.only();
  CHECK(mounts_of(system) == "/ p1, /var p2, /usr p3");
  CHECK(system.problems.empty());
  CHECK(system.root->name == "p1");
  CHECK(system.hostname == "box");
}

TEST_CASE("inspect: os-release is found on a /usr of its own") {
  const Inspected inspected("/dev/sda3 /usr ext4 ro\n");
  const OperatingSystem& system = inspected.only();
  CHECK(system.id == "test");
  CHECK(system.name == "Test OS 1");
  CHECK(system.version == "1");
}

TEST_CASE("inspect: partitions are found by their own UUIDs and labels") {
  const Inspected inspected(
      "PARTUUID=aaaaaaaa-0000-0000-0000-000000000003 /usr ext4 ro\n"
      "/dev/disk/by-partlabel/part2 /var ext4 ro\n");
  CHECK(mounts_of(inspected.only()) == "/ p1, /usr p3, /var p2");
}

TEST_CASE("inspect: what cannot be followed is said, and the rest is mounted") {
  const Inspected inspected(
      "LABEL=gone /home ext4 defaults 0 2\n"
      "LABEL=gone-too /mnt ext4 nofail 0 2\n"
      "server:/x /srv nfs defaults 0 0\n"
      "/dev/sda2 /nowhere ext4 defaults 0 0\n"
      "/dev/sda4 /mnt ext4 defaults 0 0\n"
      "/dev/sda3 /etc/../usr ext4 defaults 0 0\n"
      "/dev/sda3 /usr ext4 defaults 0 0\n"
      "broken\n");
  const OperatingSystem& system = inspected.only();
  CHECK(mounts_of(system) == "/ p1, /usr p3");
  CHECK(system.problems == std::vector<std::string>{
                               "/etc/fstab: 'broken' is no mount",
                               "/etc/fstab: /etc/../usr: is no absolute path",
                               "/etc/fstab: /home: LABEL=gone is on no volume that can be read",
                               "/etc/fstab: /srv: server:/x lies on another machine",
                               "/etc/fstab: /nowhere: path: '/nowhere' does not exist",
                               "/etc/fstab: /mnt: p4: holds no file system that can be read",
                           });
}

TEST_CASE("inspect: a root that calls itself something else is the root all the same") {
  const Inspected inspected("LABEL=other / ext4 defaults 0 1\n");
  const OperatingSystem& system = inspected.only();
  CHECK(mounts_of(system) == "/ p1");
  CHECK(system.problems ==
        std::vector<std::string>{"/etc/fstab: /: LABEL=other is not p1, which holds this table"});
}

TEST_CASE("inspect: a directory is bound once what it lies on is mounted") {
  const Inspected inspected(
      "/var/lib /srv none bind 0 0\n"
      "/dev/sda2 /var ext4 defaults 0 0\n");
  CHECK(mounts_of(inspected.only()) == "/ p1, /var p2, /srv /var/lib");
  const GuestTree tree = compose(*inspected.guest, inspected.only(), MountAccess::read_only);
  CHECK(read_text(tree, "/srv/data", 100) == "var's");
}

TEST_CASE("inspect: the composed tree is the guest's own") {
  const Inspected inspected("/dev/sda3 /usr ext4 ro\n/dev/sda2 /var ext4 ro\n");
  const GuestTree tree = compose(*inspected.guest, inspected.only(), MountAccess::read_only);
  CHECK(read_text(tree, "/etc/os-release", 100) == os_release);
  CHECK(read_text(tree, "/bin/sh", 100) == "");
  CHECK(read_text(tree, "/var/lib/data", 100) == "var's");
  CHECK(read_text(tree, "/srv/here", 100) == "root's");
}

TEST_CASE("inspect: a table beyond all measure is not read") {
  const Inspected inspected(std::string((1U << 20) + 1, '#'));
  const OperatingSystem& system = inspected.only();
  CHECK(mounts_of(system) == "/ p1");
  CHECK(system.problems ==
        std::vector<std::string>{"/etc/fstab: path: '/etc/fstab' is longer than 1048576 bytes"});
}

TEST_CASE("inspect: a file system without an /etc is no root") {
  GuestImage image;
  image.add_ext4("-L data", {{{"bin/x", ""}, {"home/y", ""}}, {}});
  CHECK(inspect(*opened({image.build()})).empty());
}

TEST_CASE("inspect: links that lead nowhere end, and no file of the host is read") {
  GuestImage image;
  image.add_ext4("", {{{"etc/", ""}},
                      {{"etc/fstab", "fstab"},
                       {"etc/os-release", "/../../../etc/os-release-of-the-host"},
                       {"etc/hostname", "../../../../../../etc/hostname"}}});
  const auto systems = inspect(*opened({image.build()}));
  REQUIRE(systems.size() == 1);
  CHECK(systems[0].id.empty());
  CHECK(systems[0].hostname.empty());
  CHECK(systems[0].problems ==
        std::vector<std::string>{"/etc/fstab: path: more than 40 symbolic links"});
}

TEST_CASE("inspect: each of two machines' tables means its own disks") {
  const std::string fstab = "LABEL=data /mnt ext4 ro\n/dev/sda2 /srv ext4 ro\n";
  const GuestImage::Content root{{{"etc/fstab", fstab}, {"mnt/", ""}, {"srv/", ""}}, {}};
  GuestImage first;
  first.add_ext4("", root).add_ext4("-L data", {});
  GuestImage second;
  second.add_ext4("", root).add_ext4("-L data", {});
  const auto guest = opened({first.build(), second.build()});
  const auto systems = inspect(*guest);
  REQUIRE(systems.size() == 2);
  CHECK(mounts_of(systems[0]) == "/ disk0p1, /mnt disk0p2, /srv disk0p2");
  CHECK(mounts_of(systems[1]) == "/ disk1p1, /mnt disk1p2, /srv disk1p2");
}

TEST_CASE("inspect: one machine's table counts its disks from the first image") {
  GuestImage first;
  first.add_ext4("-L root", {{{"etc/fstab", "/dev/vdb1 /mnt ext4 ro\n"}, {"mnt/", ""}}, {}});
  GuestImage second;
  second.add_ext4("-L data", {});
  const auto guest = opened({first.build(), second.build()});
  const auto systems = inspect(*guest);
  REQUIRE(systems.size() == 1);
  CHECK(mounts_of(systems[0]) == "/ disk0p1, /mnt disk1p1");
}

}  // namespace
}  // namespace vimg
