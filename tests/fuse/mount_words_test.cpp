#include <doctest/doctest.h>

#include "disk/error.h"
#include "fuse/options.h"

using namespace vimg;

namespace {

MountOptions after(const std::string& words) {
  MountOptions options;
  apply_mount_words(words, options);
  return options;
}

}  // namespace

TEST_CASE("mount words: what fstab and mount(8) mix in is taken and means nothing") {
  const MountOptions options =
      after("rw,suid,dev,exec,noauto,nofail,_netdev,x-systemd.automount,defaults,,noatime");
  CHECK(options.session_words.empty());
  CHECK(options.guest.write == WriteMode::in_place);
}

TEST_CASE("mount words: the last of ro and rw decides") {
  CHECK(after("rw,ro").guest.write == WriteMode::none);
  CHECK(after("ro,rw").guest.write == WriteMode::in_place);
  CHECK(after("").guest.write == WriteMode::none);
}

TEST_CASE("mount words: what names a value takes it") {
  const MountOptions options =
      after("volume=vg0/root,format=qcow2,snapshot=before,allow_refs=/a,allow_refs=/b");
  REQUIRE(options.requests.size() == 1);
  CHECK(options.requests[0].volume == "vg0/root");
  CHECK(options.guest.format == "qcow2");
  CHECK(options.guest.snapshot == "before");
  CHECK(options.guest.allowed_directories == std::vector<std::string>{"/a", "/b"});
}

TEST_CASE("mount words: an overlay decides where writes go") {
  const MountOptions options = after("overlay=/tmp/o.qcow2");
  CHECK(options.guest.write == WriteMode::overlay);
  CHECK(options.guest.overlay_path == "/tmp/o.qcow2");
}

TEST_CASE("mount words: FUSE's own go to the session") {
  const MountOptions options = after("allow_other,default_permissions,noexec");
  CHECK(options.session_words ==
        std::vector<std::string>{"allow_other", "default_permissions", "noexec"});
  CHECK(options.permissions == Permissions::kernel);
}

TEST_CASE("mount words: what is left may be the file system's own") {
  MountOptions options;
  CHECK(apply_mount_words("ro,noload,nofail,uid=5", options) ==
        std::vector<std::string>{"noload", "uid=5"});
}

TEST_CASE("mount request: a volume alone is mounted at /") {
  const MountRequest request = parse_mount_request("/dev/sda2");
  CHECK(request.volume == "/dev/sda2");
  CHECK(request.mountpoint == "/");
  CHECK(request.access == MountAccess::read_write);
}

TEST_CASE("mount request: all four parts") {
  const MountRequest request = parse_mount_request("p1:/boot:ro,noatime,noload:ext4");
  CHECK(request.volume == "p1");
  CHECK(request.mountpoint == "/boot");
  CHECK(request.options == std::vector<std::string>{"noload"});
  CHECK(request.type == "ext4");
  CHECK(request.access == MountAccess::read_only);
}

TEST_CASE("mount request: empty parts are as if left out") {
  const MountRequest request = parse_mount_request("p1:::ext4");
  CHECK(request.mountpoint == "/");
  CHECK(request.options.empty());
  CHECK(request.type == "ext4");
}

TEST_CASE("mount request: no volume and a fifth part are refused") {
  CHECK_THROWS_AS(parse_mount_request(":/boot"), Error);
  CHECK_THROWS_AS(parse_mount_request("p1:/:noload:ext4:more"), Error);
}
