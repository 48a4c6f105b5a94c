#include "cli/vimg.h"

#include <algorithm>
#include <sstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/support/host.h"

namespace vimg {
namespace {

using nlohmann::json;
using test::must_run;
using test::TemporaryDirectory;
using test::unpack_image;

struct Outcome {
  ExitCode code;
  std::string out;
  std::string err;
};

Outcome vimg(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  const ExitCode code = run_vimg(arguments, {out, err});
  return {code, out.str(), err.str()};
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

json json_of(const std::vector<std::string>& arguments) {
  const Outcome outcome = vimg(arguments);
  REQUIRE_MESSAGE(outcome.code == ExitCode::ok, outcome.err);
  return json::parse(outcome.out);
}

TEST_CASE("vimg: --version and --help are no errors") {
  CHECK(vimg({"--version"}).out == "vimg " VIMG_VERSION "\n");
  CHECK(vimg({"--version"}).code == ExitCode::ok);
  CHECK(has(vimg({"--help"}).out, "list"));
  CHECK(has(vimg({"list", "--help"}).out, "--allow-refs"));
}

TEST_CASE("vimg: wrong usage is told so") {
  CHECK(vimg({}).code == ExitCode::usage);
  CHECK(vimg({"paint"}).code == ExitCode::usage);
  CHECK(vimg({"list"}).code == ExitCode::usage);
  CHECK(vimg({"list", "--colour", "x"}).code == ExitCode::usage);
}

TEST_CASE("vimg: an image that does not exist cannot be opened") {
  for (const char* verb : {"info", "list"}) {
    const Outcome outcome = vimg({verb, "/no/such/image"});
    CHECK(outcome.code == ExitCode::cannot_open);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.starts_with("vimg: /no/such/image: "));
    CHECK(std::ranges::count(outcome.err, '\n') == 1);
  }
}

TEST_CASE("vimg info: says what qemu-img says") {
  const TemporaryDirectory directory;
  const std::string image = unpack_image(directory, "formats/qcow2-snapshots.qcow2");
  const json ours = json_of({"info", "--json", image});
  const json theirs = json::parse(must_run("qemu-img info --output=json " + image));
  CHECK(ours["schema"] == 1);
  CHECK(ours["format"] == theirs["format"]);
  CHECK(ours["virtual_size"] == theirs["virtual-size"]);
  CHECK(ours["disk_size"] == theirs["actual-size"]);
  REQUIRE(ours["snapshots"].size() == theirs["snapshots"].size());
  for (std::size_t i = 0; i < ours["snapshots"].size(); ++i) {
    CHECK(ours["snapshots"][i]["id"] == theirs["snapshots"][i]["id"]);
    CHECK(ours["snapshots"][i]["name"] == theirs["snapshots"][i]["name"]);
    CHECK(ours["snapshots"][i]["date_sec"] == theirs["snapshots"][i]["date-sec"]);
  }
}

TEST_CASE("vimg info: as text for people") {
  const TemporaryDirectory directory;
  const std::string image = directory / "disk.qcow2";
  must_run("qemu-img create -q -f qcow2 " + image + " 720M && qemu-img snapshot -c 'a b' " + image);
  const Outcome outcome = vimg({"info", image});
  CHECK(outcome.code == ExitCode::ok);
  CHECK(has(outcome.out, "format: qcow2\n"));
  CHECK(has(outcome.out, "virtual size: 720M (754974720 bytes)\n"));
  CHECK(has(outcome.out, "a b"));
}

TEST_CASE("vimg info: a header is shown although what it refers to is refused") {
  const TemporaryDirectory directory;
  const std::string image = directory / "top.qcow2";
  must_run("qemu-img create -q -u -f qcow2 -b /etc/hostname -F raw " + image + " 1M");
  const Outcome outcome = vimg({"info", image});
  CHECK(outcome.code == ExitCode::refused);
  CHECK(has(outcome.out, "backing file: /etc/hostname\n"));
  CHECK(has(outcome.err, "--allow-refs"));
}

TEST_CASE("vimg list: a hostile backing name cannot steer the terminal") {
  const TemporaryDirectory directory;
  const std::string image = directory / "top.qcow2";
  must_run("qemu-img create -q -u -f qcow2 -b \"$(printf 'a\\033]0;x\\007b')\" -F raw " + image +
           " 1M");
  const Outcome outcome = vimg({"list", image});
  CHECK(outcome.code == ExitCode::cannot_open);
  CHECK(has(outcome.err, "a\\x1b]0;x\\x07b"));
  CHECK_FALSE(has(outcome.err, "\x1b"));
}

TEST_CASE("vimg list: labels and partition names cannot steer the terminal") {
  const TemporaryDirectory directory;
  const std::string image = directory / "disk.raw";
  must_run("truncate -s 8M " + image + " && mke2fs -q -L \"$(printf 'a\\033[2Jb')\" " + image);
  const Outcome outcome = vimg({"list", "--format", "raw", image});
  CHECK(outcome.code == ExitCode::ok);
  CHECK(has(outcome.out, "a\\x1b[2Jb"));
  CHECK_FALSE(has(outcome.out, "\x1b"));
}

TEST_CASE("vimg list: JSON is valid whatever a label holds") {
  const TemporaryDirectory directory;
  const std::string image = directory / "disk.raw";
  must_run("truncate -s 8M " + image + " && mke2fs -q -L \"$(printf 'a\\377b')\" " + image);
  const json found = json_of({"list", "--json", image});
  CHECK(found["filesystems"][0]["label"] == "a\\xffb");
}

TEST_CASE("vimg list: what no driver knows is named by libblkid") {
  const TemporaryDirectory directory;
  const std::string image = unpack_image(directory, "filesystems/swap.raw");
  const json found = json_of({"list", "--json", image});
  REQUIRE(found["filesystems"].size() == 1);
  CHECK(found["filesystems"][0]["type"] == "swap");
  CHECK(found["filesystems"][0]["readable"] == false);
  CHECK(
      found["filesystems"][0]["uuid"] ==
      json::parse("\"" + must_run("printf %s $(blkid -p -o value -s UUID " + image + ")") + "\""));
}

}  // namespace
}  // namespace vimg
