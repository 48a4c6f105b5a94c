// Opening images and what they refer to.  The images are made by qemu-img.
#include "formats/image.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "tests/support/host.h"

namespace vimg {
namespace {

using test::must_run;

bool can_run() {
  if (!test::have("qemu-img") || !test::have("qemu-io")) {
    MESSAGE("skipped: needs qemu-img and qemu-io");
    return false;
  }
  return true;
}

// A directory to make images in.
struct Workshop {
  test::TemporaryDirectory directory;

  std::string operator/(const std::string& name) const { return directory / name; }
  void in(const std::string& command) const {
    must_run("cd " + directory.path() + " && " + command);
  }
  // base.raw, filled with `fill`; mid.qcow2 on it; top.qcow2 on that.
  void make_chain() const {
    in("qemu-img create -q -f raw base.raw 1M && qemu-io -f raw -c 'write -q -P 7 0 1M' base.raw");
    in("qemu-img create -q -f qcow2 -b base.raw -F raw mid.qcow2");
    in("qemu-io -c 'write -q -P 8 64k 64k' mid.qcow2");
    in("qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 top.qcow2");
    in("qemu-io -c 'write -q -P 9 128k 64k' top.qcow2");
  }
};

// qemu-img no longer makes images without a backing format: turns that header extension into one
// of a type that nobody knows.
void forget_backing_format(const std::string& path) {
  auto content = test::read_file(path);
  const std::size_t place = text_of(content).find("\xe2\x79\x2a\xca");
  REQUIRE(place != std::string_view::npos);
  std::ranges::copy(bytes_of("\x12\x34\x56\x78"), content.begin() + std::ptrdiff_t(place));
  test::write_file(path, content);
}

Error refusal(const std::string& path, const ImageOptions& options = {}) {
  try {
    open_image(path, options);
  } catch (const Error& error) {
    return error;
  }
  return {0, "opened"};
}

bool contains(const Error& error, const std::string& text) {
  return std::string(error.what()).find(text) != std::string::npos;
}

std::byte byte_at(const Image& image, std::uint64_t offset) {
  std::byte byte{};
  image.disk->read(offset, Bytes(&byte, 1));
  return byte;
}

ImageOptions with_access(Access access) {
  ImageOptions options;
  options.access = access;
  return options;
}

TEST_CASE("image: a raw file is its own disk") {
  const Workshop shop;
  test::write_file(shop / "a.raw", std::vector<std::byte>(1000, std::byte{5}));
  const Image image = open_image(shop / "a.raw", {});
  CHECK(image.info.format == "raw");
  CHECK(image.disk->size() == 1000);
  CHECK(image.file_size == 1000);
  CHECK(image.path == shop / "a.raw");
  CHECK(image.files == std::vector{shop / "a.raw"});
  CHECK(image.warnings.empty());
  CHECK_FALSE(image.disk->writable());
  CHECK(byte_at(image, 999) == std::byte{5});
}

TEST_CASE("image: errors begin with the path") {
  const Workshop shop;
  CHECK(refusal("/nowhere/x").code() == ENOENT);
  CHECK(std::string(refusal("/nowhere/x").what()).starts_with("/nowhere/x: "));
  const ConstBytes qcow1 = bytes_of(std::string_view("QFI\xfb\0\0\0\1", 8));
  test::write_file(shop / "a.qcow", std::vector<std::byte>(qcow1.begin(), qcow1.end()));
  CHECK(std::string(refusal(shop / "a.qcow").what()).starts_with((shop / "a.qcow") + ": format: "));
}

TEST_CASE("image: an unknown --format is an error that names it") {
  const Workshop shop;
  test::write_file(shop / "a.raw", {});
  ImageOptions options;
  options.format = "gif";
  CHECK(refusal(shop / "a.raw", options).code() == EINVAL);
  CHECK(contains(refusal(shop / "a.raw", options), "there is no format \"gif\""));
}

TEST_CASE("image: a raw image has no snapshots to show") {
  const Workshop shop;
  test::write_file(shop / "a.raw", std::vector<std::byte>(512));
  ImageOptions options;
  options.snapshot = "before";
  CHECK(refusal(shop / "a.raw", options).code() == EINVAL);
}

TEST_CASE("image: --format is obeyed, and what is raw is never looked into") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.in("qemu-img create -q -f qcow2 a.qcow2 1M");
  ImageOptions options;
  options.format = "raw";
  const Image image = open_image(shop / "a.qcow2", options);
  CHECK(image.info.format == "raw");
  CHECK(byte_at(image, 0) == std::byte{'Q'});
  options.format = "qcow2";
  test::write_file(shop / "b.raw", std::vector<std::byte>(65536));
  CHECK(refusal(shop / "b.raw", options).code() != 0);
}

TEST_CASE("image: a chain reads as QEMU reads it, and lists its files, top first") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.make_chain();
  const Image image = open_image(shop / "top.qcow2", {});
  CHECK(image.files == std::vector{shop / "top.qcow2", shop / "mid.qcow2", shop / "base.raw"});
  CHECK(image.warnings.empty());
  CHECK(byte_at(image, 0) == std::byte{7});
  CHECK(byte_at(image, 64U << 10) == std::byte{8});
  CHECK(byte_at(image, 128U << 10) == std::byte{9});
}

TEST_CASE("image: only the top of a chain is written, and its files below are locked for readers") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.make_chain();
  const auto base = test::read_file(shop / "base.raw");
  const auto mid = test::read_file(shop / "mid.qcow2");
  {
    const Image image = open_image(shop / "top.qcow2", with_access(Access::read_write));
    image.disk->write(0, bytes_of("written"));
    image.disk->flush();
    for (const char* const name : {"base.raw", "mid.qcow2", "top.qcow2"}) {
      const auto write = test::run("qemu-io -f raw -c 'write 0 512' " + (shop / name));
      CHECK(write.output.find("Failed to get \"write\" lock") != std::string::npos);
    }
    CHECK(test::run("qemu-img info " + (shop / "mid.qcow2")).exit_code == 0);
    CHECK(test::run("qemu-img info " + (shop / "top.qcow2")).exit_code != 0);
  }
  CHECK(test::read_file(shop / "base.raw") == base);
  CHECK(test::read_file(shop / "mid.qcow2") == mid);
  shop.in("qemu-img check -q top.qcow2");
  CHECK(byte_at(open_image(shop / "top.qcow2", {}), 0) == std::byte{'w'});
}

TEST_CASE("image: an undeclared backing format is raw, and the user is told") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.in("qemu-img create -q -f qcow2 base.qcow2 1M");
  shop.in("qemu-img create -q -f qcow2 -u -b base.qcow2 -F qcow2 old.qcow2 1M");
  forget_backing_format(shop / "old.qcow2");
  const Image image = open_image(shop / "old.qcow2", {});
  CHECK(byte_at(image, 0) == std::byte{'Q'});
  REQUIRE(image.warnings.size() == 1);
  CHECK(image.warnings[0] ==
        (shop / "old.qcow2") +
            ": does not say of what format its backing file \"base.qcow2\" is, so that is read as "
            "raw although it looks like qcow2; qemu-img rebase -u -F qcow2 says it");
}

TEST_CASE("image: a declared format decides, whatever the backing file looks like") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.in("qemu-img create -q -f qcow2 base.qcow2 1M");
  shop.in("qemu-img create -q -f qcow2 -u -b base.qcow2 -F raw top.qcow2 1M");
  const Image image = open_image(shop / "top.qcow2", {});
  CHECK(byte_at(image, 0) == std::byte{'Q'});
  CHECK(image.warnings.empty());
  shop.in("qemu-img create -q -f qcow2 -u -b base.qcow2 -F qcow odd.qcow2 1M");
  CHECK(refusal(shop / "odd.qcow2").code() == EOPNOTSUPP);
  CHECK(contains(refusal(shop / "odd.qcow2"), "the backing file's format \"qcow\""));
}

TEST_CASE("image: a backing file outside the image's directory is refused, unless allowed") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.in("mkdir images store && qemu-img create -q -f raw store/base.raw 1M");
  for (const std::string& name : {std::string("../store/base.raw"), shop / "store/base.raw"}) {
    CAPTURE(name);
    const std::string top = shop / "images/top.qcow2";
    shop.in("qemu-img create -q -f qcow2 -u -F raw -b " + name + " images/top.qcow2 1M");
    const Error error = refusal(top);
    CHECK(exit_code_for(error) == ExitCode::refused);
    CHECK(contains(error, top + ": reference: \"" + name + "\" refused: it lies outside"));
    ImageOptions options;
    options.allowed_directories = {shop / "store"};
    CHECK_NOTHROW(open_image(top, options));
  }
}

TEST_CASE("image: hostile backing names are refused by name and leak nothing") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  for (const char* const name : {"/etc/passwd", "../../../../etc/passwd", "/proc/self/environ",
                                 "nbd://127.0.0.1/x", "//host/share/x", R"(\\host\share)",
                                 R"(json:{"driver":"file","filename":"/etc/passwd"})"}) {
    CAPTURE(name);
    shop.in(std::string("qemu-img create -q -f qcow2 -u -F raw -b '") + name + "' top.qcow2 1M");
    const Error error = refusal(shop / "top.qcow2");
    CHECK(exit_code_for(error) == ExitCode::refused);
    CHECK(contains(error, "refused: "));
  }
}

TEST_CASE("image: a data file outside the image's directory is refused, for reading and writing") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.in("mkdir images && cp /etc/hostname victim");
  shop.in(
      "qemu-img create -q -f qcow2 -o data_file=images/data,data_file_raw=on images/top.qcow2 "
      "1M");
  shop.in("qemu-img amend -f qcow2 -o data_file=../victim images/top.qcow2");
  for (const Access access : {Access::read_only, Access::read_write}) {
    const Error error = refusal(shop / "images/top.qcow2", with_access(access));
    CHECK(exit_code_for(error) == ExitCode::refused);
    CHECK(contains(error, "\"../victim\" refused"));
  }
}

TEST_CASE("image: an image that is its own backing file, or its backing file's, is ELOOP") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.in("qemu-img create -q -f qcow2 -u -F qcow2 -b self.qcow2 new 1M && mv new self.qcow2");
  shop.in("qemu-img create -q -f qcow2 -u -F qcow2 -b b.qcow2 a.qcow2 1M");
  shop.in("qemu-img create -q -f qcow2 -u -F qcow2 -b a.qcow2 b.qcow2 1M");
  shop.in("ln a.qcow2 c.qcow2");
  for (const char* const name : {"self.qcow2", "a.qcow2", "b.qcow2", "c.qcow2"}) {
    CAPTURE(name);
    for (const Access access : {Access::read_only, Access::read_write}) {
      const Error error = refusal(shop / name, with_access(access));
      CHECK(error.code() == ELOOP);
      CHECK(exit_code_for(error) == ExitCode::refused);
    }
  }
}

TEST_CASE("image: 200 images in a chain are opened, 201 are not") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  // qemu-img would open each chain that it lengthens, so one header is written 201 times.
  shop.in("qemu-img create -q -f qcow2 -u -F qcow2 -b 000.qcow2 model.qcow2 64k");
  shop.in("qemu-img create -q -f qcow2 000.qcow2 64k");
  for (int i = 1; i <= 200; ++i) {
    auto content = test::read_file(shop / "model.qcow2");
    const std::string name = std::to_string(1000 + i - 1).substr(1) + ".qcow2";
    const std::string_view model = text_of(content);
    const std::size_t place = model.find("000.qcow2");
    std::ranges::copy(bytes_of(std::string_view(name)), content.begin() + std::ptrdiff_t(place));
    test::write_file(shop / (std::to_string(1000 + i).substr(1) + ".qcow2"), content);
  }
  CHECK(open_image(shop / "199.qcow2", {}).files.size() == 200);
  const Error error = refusal(shop / "200.qcow2");
  CHECK(error.code() == ELOOP);
  CHECK(contains(error, "more than 200 images in a chain"));
  CHECK(std::string(error.what()).size() < 500);
}

TEST_CASE("image: an error deep in a chain names the image that it is in") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.make_chain();
  shop.in("truncate -s 0 mid.qcow2");
  const Error error = refusal(shop / "top.qcow2");
  CHECK(std::string(error.what()).starts_with((shop / "mid.qcow2") + ": qcow2: "));
}

TEST_CASE("image: a missing backing file is ENOENT, and the image that names it is named") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.make_chain();
  shop.in("rm base.raw");
  const Error error = refusal(shop / "top.qcow2");
  CHECK(error.code() == ENOENT);
  CHECK(contains(error, (shop / "mid.qcow2") + ": reference: \"base.raw\""));
}

TEST_CASE("image: an image that another process writes is read under a warning, not written") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.make_chain();
  const Image writer = open_image(shop / "top.qcow2", with_access(Access::read_write));
  CHECK(open_image(shop / "top.qcow2", {}).warnings.size() == 1);
  CHECK(refusal(shop / "top.qcow2", with_access(Access::read_write)).code() == EBUSY);
}

TEST_CASE("overlay: takes all writes, and QEMU reads them in it") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.make_chain();
  const auto before = test::read_file(shop / "top.qcow2");
  {
    const Image image = open_with_overlay(shop / "top.qcow2", shop / "over.qcow2", {});
    CHECK(image.path == shop / "top.qcow2");
    CHECK(image.files.size() == 4);
    CHECK(byte_at(image, 128U << 10) == std::byte{9});
    image.disk->write(128U << 10, bytes_of("over"));
    image.disk->flush();
  }
  CHECK(test::read_file(shop / "top.qcow2") == before);
  shop.in("qemu-img check -q over.qcow2");
  const std::string info = must_run("qemu-img info " + (shop / "over.qcow2"));
  CHECK(info.find("backing file: top.qcow2 ") != std::string::npos);
  CHECK(info.find("backing file format: qcow2") != std::string::npos);
  must_run("qemu-io -r -c 'read -P 0x6f 128k 1' -c 'read -P 9 131200 512' " +
           (shop / "over.qcow2"));
  // Again: what was written is still there, and nothing is created anew.
  const Image again = open_with_overlay(shop / "top.qcow2", shop / "over.qcow2", {});
  CHECK(byte_at(again, 128U << 10) == std::byte{'o'});
}

TEST_CASE("overlay: an image in another directory is named by its absolute path") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.in("mkdir a b && qemu-img create -q -f raw a/base.raw 1M && ln -s base.raw a/link");
  const Image image = open_with_overlay(shop / "a/link", shop / "b/over.qcow2", {});
  const std::string real = std::filesystem::canonical(shop / "a/base.raw").string();
  CHECK(image.info.backing_file == real);
  CHECK(image.info.backing_format == "raw");
  CHECK(image.disk->writable());
}

TEST_CASE("overlay: an image that ends within a sector is continued with zeros to its end") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  test::write_file(shop / "odd.raw", std::vector<std::byte>(1000, std::byte{5}));
  const Image image = open_with_overlay(shop / "odd.raw", shop / "over.qcow2", {});
  CHECK(image.disk->size() == 1024);
  CHECK(byte_at(image, 999) == std::byte{5});
  CHECK(byte_at(image, 1000) == std::byte{0});
  shop.in("qemu-img compare -U -f raw -F qcow2 odd.raw over.qcow2");
}

TEST_CASE("overlay: one that lies on another image is refused and not changed") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.make_chain();
  shop.in("qemu-img create -q -f qcow2 plain.qcow2 1M");
  for (const char* const name : {"mid.qcow2", "plain.qcow2"}) {
    CAPTURE(name);
    const auto before = test::read_file(shop / name);
    try {
      open_with_overlay(shop / "top.qcow2", shop / name, {});
      FAIL("opened");
    } catch (const Error& error) {
      CHECK(error.code() == EINVAL);
      CHECK(contains(error, name));
    }
    CHECK(test::read_file(shop / name) == before);
  }
}

TEST_CASE("overlay: none is left behind when the image cannot be opened") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  CHECK_THROWS_AS(open_with_overlay(shop / "missing.raw", shop / "over.qcow2", {}), Error);
  CHECK_FALSE(std::filesystem::exists(shop / "over.qcow2"));
}

TEST_CASE("overlay: cannot show an internal snapshot, nor lie in a directory that is not there") {
  if (!can_run()) {
    return;
  }
  const Workshop shop;
  shop.make_chain();
  ImageOptions options;
  options.snapshot = "x";
  CHECK_THROWS_AS(open_with_overlay(shop / "top.qcow2", shop / "over.qcow2", options), Error);
  CHECK_THROWS_AS(open_with_overlay(shop / "top.qcow2", shop / "no/over.qcow2", {}), Error);
}

}  // namespace
}  // namespace vimg
