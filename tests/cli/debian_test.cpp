// `vimg list --json` on a real Debian guest, against what its own kernel saw.
#include <sstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "cli/vimg.h"
#include "tests/support/host.h"
#include "tests/support/manifest.h"

namespace vimg {
namespace {

using nlohmann::json;

json manifest() { return test::read_manifest("guest/debian"); }

// What `vimg list --json` says, once for all the tests.
const json& listing() {
  static const json result = [] {
    const test::TemporaryDirectory directory;
    const std::string image = test::unpack_image(directory, "guest/debian.qcow2");
    std::ostringstream out;
    std::ostringstream err;
    REQUIRE(run_vimg({"list", "--json", image}, {out, err}) == ExitCode::ok);
    return json::parse(out.str());
  }();
  return result;
}

// The member of a list that has this value under `key`.
const json& with(const json& list, const char* key, const std::string& value) {
  for (const json& member : list) {
    if (member.value(key, "") == value) {
      return member;
    }
  }
  FAIL(key, " ", value, " is not in ", list.dump());
  return list;
}

TEST_CASE("debian: the image is what qemu-img says") {
  const json& image = listing()["images"][0];
  CHECK(image["format"] == "qcow2");
  CHECK(image["virtual_size"] == manifest()["qemu_img_info"]["virtual-size"]);
}

TEST_CASE("debian: every file system is what the kernel and blkid saw") {
  const json filesystems = manifest()["filesystems"];
  for (const auto& [name, filesystem] : filesystems.items()) {
    const json& seen = filesystem["info"];
    CAPTURE(name);
    if (seen["TYPE"] == "vfat") {
      continue;
    }
    const json& ours = with(listing()["filesystems"], "uuid", seen["UUID"]);
    CHECK(ours["type"] == seen["TYPE"]);
    CHECK(ours["label"] == seen["LABEL"]);
    CHECK(ours["readable"] == true);
    CHECK(ours["state"] == "clean");
    const std::string statfs = "bsize:" + std::to_string(int(ours["block_size"])) + " blocks:" +
                               std::to_string(long(ours["size"]) / long(ours["block_size"])) +
                               " files:" + std::to_string(long(ours["inodes"])) + " namelen:255";
    CHECK(statfs == seen["statfs"]);
  }
}

TEST_CASE("debian: every volume has the size that the kernel saw") {
  const json volumes = manifest()["volumes"];
  const auto size_of = [&](const char* list, const char* name) {
    return with(listing()[list], "name", name)["size"];
  };
  CHECK(size_of("disks", "disk0") == volumes["disk"]["bytes"]);
  CHECK(size_of("partitions", "p1") == volumes["esp"]["bytes"]);
  CHECK(size_of("partitions", "p2") == volumes["boot"]["bytes"]);
  CHECK(size_of("logical_volumes", "debian-vg/root") == volumes["debian-vg_root"]["bytes"]);
  CHECK(size_of("logical_volumes", "debian-vg/var") == volumes["debian-vg_var"]["bytes"]);
  CHECK(size_of("logical_volumes", "debian-vg/swap") == volumes["debian-vg_swap"]["bytes"]);
}

TEST_CASE("debian: what no driver knows is named as blkid names it") {
  const json& swap = with(listing()["filesystems"], "volume", "debian-vg/swap");
  CHECK(swap["type"] == "swap");
  CHECK(swap["readable"] == false);
}

TEST_CASE("debian: the system is found and put together") {
  REQUIRE(listing()["systems"].size() == 1);
  const json& system = listing()["systems"][0];
  CHECK(system["root"] == "debian-vg/root");
  CHECK(system["id"] == "debian");
  CHECK(system["version"] == "12");
  CHECK(system["hostname"] == manifest()["hostname"]);
  CHECK(with(system["mounts"], "mountpoint", "/")["volume"] == "debian-vg/root");
  CHECK(with(system["mounts"], "mountpoint", "/boot")["volume"] == "p2");
  CHECK(with(system["mounts"], "mountpoint", "/var")["volume"] == "debian-vg/var");
}

}  // namespace
}  // namespace vimg
