#include "guest/guest.h"

#include <cerrno>
#include <thread>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "tests/guest/guest_image.h"

namespace vimg {
namespace {

using test::GuestImage;

// An image with one ext4 and one swap partition.
struct OneImage {
  GuestImage image;
  std::string path;

  OneImage() {
    image.add_ext4("-L data", {{{"file", "content"}}, {}}).add_made("mkswap -q $F");
    path = image.build();
  }

  std::shared_ptr<Guest> open(WriteMode write, const std::string& overlay = {}) const {
    GuestOptions options;
    options.format = "raw";
    options.write = write;
    options.overlay_path = overlay;
    return Guest::open({path}, options);
  }
};

const Volume& found(const Guest& guest, std::string_view name) {
  const Volume* volume = guest.find(name);
  REQUIRE(volume != nullptr);
  return *volume;
}

template <typename Action>
int code_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return 0;
}

std::vector<std::byte> first_bytes(const Volume& volume) {
  std::vector<std::byte> bytes(512);
  volume.disk->read(0, bytes);
  return bytes;
}

TEST_CASE("guest: what was opened for reading cannot be written") {
  const OneImage image;
  const auto guest = image.open(WriteMode::none);
  const Volume& volume = found(*guest, "p1");
  CHECK_FALSE(guest->writable());
  CHECK_FALSE(volume.disk->writable());
  CHECK(code_of([&] { guest->open_filesystem(volume, {MountAccess::read_write, {}}); }) == EROFS);
  CHECK_NOTHROW(guest->finish());
}

TEST_CASE("guest: a file system is opened once for all who ask plainly") {
  const OneImage image;
  const auto guest = image.open(WriteMode::none);
  const Volume& volume = found(*guest, "LABEL=data");
  const auto first = guest->open_filesystem(volume);
  CHECK(guest->open_filesystem(volume) == first);
  CHECK(guest->open_filesystem(volume, {}, volume.filesystem->driver->name) == first);
  CHECK(guest->open_filesystem(volume, {MountAccess::read_only, {"noload"}}) != first);
}

TEST_CASE("guest: many threads that open one file system get the same") {
  const OneImage image;
  const auto guest = image.open(WriteMode::none);
  std::vector<std::shared_ptr<FileSystem>> opened(8);
  std::vector<std::thread> threads;
  for (auto& filesystem : opened) {
    threads.emplace_back([&] { filesystem = guest->open_filesystem(found(*guest, "p1")); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(std::vector(8, opened.front()) == opened);
}

TEST_CASE("guest: what cannot be opened says why and is a problem afterwards") {
  const OneImage image;
  const auto guest = image.open(WriteMode::none);
  CHECK_THROWS_WITH_AS(guest->open_filesystem(found(*guest, "p2")),
                       "p2: holds no file system that can be read", Error);
  CHECK_THROWS_WITH_AS(guest->open_filesystem(found(*guest, "p1"), {}, "nosuchfs"),
                       "p1: no driver for file system type 'nosuchfs'", Error);
  CHECK(guest->problems().empty());
  const auto open_damaged = [&] { guest->open_filesystem(found(*guest, "p2"), {}, "ext4"); };
  const int code = code_of(open_damaged);
  CHECK(code != 0);
  CHECK(code_of(open_damaged) == code);
  CHECK(guest->problems().size() == 1);
}

TEST_CASE("guest: a volume of another guest is refused") {
  const OneImage image;
  const auto guest = image.open(WriteMode::none);
  const auto other = image.open(WriteMode::none);
  CHECK(code_of([&] { guest->open_filesystem(found(*other, "p1")); }) == EINVAL);
}

TEST_CASE("guest: scratch writes are seen and thrown away") {
  const OneImage image;
  const auto before = test::read_file(image.path);
  const auto guest = image.open(WriteMode::scratch);
  const Volume& volume = found(*guest, "p2");
  CHECK(guest->writable());
  volume.disk->write(0, std::vector<std::byte>(512, std::byte{0x5a}));
  CHECK(first_bytes(volume) == std::vector<std::byte>(512, std::byte{0x5a}));
  guest->finish();
  CHECK(test::read_file(image.path) == before);
}

TEST_CASE("guest: in place writes are in the image after finish") {
  const OneImage image;
  const auto guest = image.open(WriteMode::in_place);
  const Volume& volume = found(*guest, "p2");
  volume.disk->write(0, std::vector<std::byte>(512, std::byte{0x5a}));
  guest->finish();
  const auto after = test::read_file(image.path);
  CHECK(after[volume.partition->offset] == std::byte{0x5a});
}

TEST_CASE("guest: an overlay is for one image") {
  const OneImage image;
  GuestOptions options;
  options.write = WriteMode::overlay;
  options.overlay_path = image.path + ".qcow2";
  CHECK(code_of([&] { Guest::open({image.path, image.path}, options); }) == EINVAL);
}

TEST_CASE("guest: no image is a wrong call") {
  CHECK(code_of([] { Guest::open({}, {}); }) == EINVAL);
}

}  // namespace
}  // namespace vimg
