#include "fuse/options.h"

#include <doctest/doctest.h>

using namespace vimg;

namespace {

MountOptions parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "vimgmount");
  return parse_mount_options(int(arguments.size()), arguments.data());
}

Advice advice_for(const std::vector<const char*>& arguments) {
  try {
    parse(arguments);
  } catch (const Advice& advice) {
    return advice;
  }
  return {-1, "none"};
}

}  // namespace

TEST_CASE("options: the last word is the mount point, the others are images") {
  const MountOptions options = parse({"a.qcow2", "b.raw", "/mnt"});
  CHECK(options.images == std::vector<std::string>{"a.qcow2", "b.raw"});
  CHECK(options.mountpoint == "/mnt");
  CHECK(options.guest.write == WriteMode::none);
  CHECK(options.layout == Layout::everything);
  CHECK(options.run == MountOptions::Run::background);
}

TEST_CASE("options: guestmount's documented command lines") {
  const MountOptions one = parse({"-a", "disk.img", "-m", "/dev/sda1", "--ro", "/mnt"});
  CHECK(one.images == std::vector<std::string>{"disk.img"});
  CHECK(one.mountpoint == "/mnt");
  REQUIRE(one.requests.size() == 1);
  CHECK(one.requests[0].volume == "/dev/sda1");
  CHECK(one.layout == Layout::requests);

  const MountOptions two =
      parse({"-a", "d.img", "-m", "/dev/VG/root", "-m", "/dev/sda1:/boot", "/mnt"});
  CHECK(two.requests.size() == 2);
  CHECK(two.requests[1].mountpoint == "/boot");

  const MountOptions three = parse({"-a", "d.img", "-i", "-w", "--pid-file", "/run/x", "/mnt"});
  CHECK(three.layout == Layout::inspected);
  CHECK(three.guest.write == WriteMode::in_place);
  CHECK(three.pid_file == "/run/x");

  const MountOptions four = parse({"--format=qcow2", "-a", "d.img", "-a", "e.img", "-i", "--key",
                                   "/dev/sda1:key:secret", "--keys-from-stdin", "/mnt"});
  CHECK(four.guest.format == "qcow2");
  CHECK(four.images.size() == 2);
}

TEST_CASE("options: mount.fuse3's order, with -o at the end") {
  const MountOptions options = parse({"image", "/mnt", "-o", "ro,volume=p2,dev,suid"});
  CHECK(options.images == std::vector<std::string>{"image"});
  CHECK(options.mountpoint == "/mnt");
  REQUIRE(options.requests.size() == 1);
  CHECK(options.requests[0].volume == "p2");
  CHECK(options.layout == Layout::requests);
}

TEST_CASE("options: --volume is one file system at the mount point") {
  const MountOptions options = parse({"--ro", "--volume", "p2", "image", "/mnt"});
  REQUIRE(options.requests.size() == 1);
  CHECK(options.requests[0].volume == "p2");
  CHECK(options.requests[0].mountpoint == "/");
}

TEST_CASE("options: an overlay takes one image") {
  const MountOptions options = parse({"--overlay", "o.qcow2", "image", "/mnt"});
  CHECK(options.guest.write == WriteMode::overlay);
  CHECK(advice_for({"--overlay", "o.qcow2", "a", "b", "/mnt"}).exit_code == 2);
}

TEST_CASE("options: ways of writing exclude each other") {
  CHECK(advice_for({"-r", "-w", "image", "/mnt"}).exit_code == 2);
  CHECK(advice_for({"--scratch", "--overlay", "o", "image", "/mnt"}).exit_code == 2);
}

TEST_CASE("options: an explicit --ro wins over rw among the words") {
  CHECK(parse({"--ro", "-o", "rw", "image", "/mnt"}).guest.write == WriteMode::none);
}

TEST_CASE("options: without an image or a mount point there is advice") {
  CHECK(advice_for({}).exit_code == 2);
  CHECK(advice_for({"/mnt"}).text.find("no image") != std::string::npos);
  CHECK(advice_for({"--nonsense", "image", "/mnt"}).exit_code == 2);
}

TEST_CASE("options: -i excludes -m") {
  CHECK(advice_for({"-i", "-m", "p1", "image", "/mnt"}).exit_code == 2);
}

TEST_CASE("options: words of a file system go to the one that is mounted") {
  const MountOptions options = parse({"image", "/mnt", "-o", "noload,volume=p2"});
  REQUIRE(options.requests.size() == 1);
  CHECK(options.requests[0].options == std::vector<std::string>{"noload"});
}

TEST_CASE("options: a word that belongs to nobody is named") {
  const Advice advice = advice_for({"image", "/mnt", "-o", "ro,foo=1"});
  CHECK(advice.exit_code == 2);
  CHECK(advice.text.find("'foo=1'") != std::string::npos);
}

TEST_CASE("options: help and version are no mistakes") {
  CHECK(advice_for({"--help"}).exit_code == 0);
  CHECK(advice_for({"--version"}).text == "vimgmount " VIMG_VERSION "\n");
}
