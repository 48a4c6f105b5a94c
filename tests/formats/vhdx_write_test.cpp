// VHDX: writing in place, new images and checks, with QEMU as the judge.
#include <algorithm>
#include <cerrno>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/formats/vhdx_image.h"
#include "tests/support/host.h"
#include "tests/support/manifest.h"

namespace vimg::test {
namespace {

constexpr std::uint64_t mib = 1U << 20;

std::vector<std::byte> random_bytes(std::size_t size, unsigned seed) {
  std::minstd_rand random(seed);
  std::vector<std::byte> out(size);
  std::ranges::generate(out, [&] { return std::byte(random() & 0xff); });
  return out;
}

// What QEMU says that the disk of the image is.
std::vector<std::byte> converted(const TemporaryDirectory& directory, const std::string& path) {
  must_run("qemu-img check -f vhdx " + path);
  must_run("qemu-img convert -f vhdx -O raw " + path + " " + directory / "converted.raw");
  return read_file(directory / "converted.raw");
}

// Changes of all kinds, each one made in `model`, too.
void change(Disk& disk, std::vector<std::byte>& model, unsigned seed) {
  std::minstd_rand random(seed);
  for (int i = 0; i < 24; ++i) {
    const std::uint64_t length = random() % (i % 4 == 0 ? 3 * mib : 20000) + 1;
    const std::uint64_t offset = random() % (model.size() - length);
    const auto at = model.begin() + std::ptrdiff_t(offset);
    if (random() % 3 == 0) {
      disk.write_zeros(offset, length);
      std::fill_n(at, length, std::byte{0});
    } else {
      const std::vector<std::byte> data = random_bytes(length, seed + unsigned(i));
      disk.write(offset, data);
      std::ranges::copy(data, at);
    }
    if (random() % 8 == 0) {
      disk.flush();
    }
  }
}

CheckReport checked(const std::string& path, Repair repair = Repair::nothing) {
  const Access access = repair == Repair::leaks ? Access::read_write : Access::read_only;
  TestContext context({}, access);
  return vhdx_driver.check(open_host_file(path, access, Locking::off, nullptr), context, repair);
}

void check_written(const TemporaryDirectory& directory, const std::string& path) {
  std::vector<std::byte> model = content_of(*open_format(vhdx_driver, path));
  {
    const DiskPtr disk = open_format(vhdx_driver, path, Access::read_write);
    change(*disk, model, 1);
    CHECK(content_of(*disk) == model);
  }
  CHECK(converted(directory, path) == model);
  const CheckReport report = checked(path);
  CHECK(report.corruptions == 0);
  CHECK(report.leaks == 0);
}

NewImage new_image(std::uint64_t size, const std::string& options) {
  NewImage image;
  image.size = size;
  image.options = CreateOptions(options);
  return image;
}

void create_image(const std::string& path, NewImage image) {
  const DiskPtr file = create_host_file(path, Locking::off);
  vhdx_driver.create(*file, std::move(image));
}

int error_of_creation(NewImage image) {
  const DiskPtr file = make_memory_disk({});
  try {
    vhdx_driver.create(*file, std::move(image));
  } catch (const Error& error) {
    CHECK(file->size() == 0);
    return error.code();
  }
  return 0;
}

}  // namespace

TEST_CASE("vhdx: QEMU reads what was written into its images") {
  for (const char* options :
       {"-o subformat=dynamic,block_size=1M", "-o subformat=dynamic", "-o subformat=fixed",
        "-o subformat=dynamic,block_size=2M,block_state_zero=off,log_size=3M"}) {
    CAPTURE(options);
    const TemporaryDirectory directory;
    const std::string path = directory / "image.vhdx";
    must_run("qemu-img create -q -f vhdx " + std::string(options) + " " + path + " 37M");
    check_written(directory, path);
  }
}

TEST_CASE("vhdx: QEMU reads new images, and what was written into them") {
  for (const char* options : {"", "block_size=1M", "subformat=fixed,block_size=4M",
                              "block_size=2M,block_state_zero=off,log_size=2M"}) {
    CAPTURE(options);
    const TemporaryDirectory directory;
    const std::string path = directory / "image.vhdx";
    create_image(path, new_image(21 * mib + 512, options));
    CHECK(converted(directory, path) == std::vector<std::byte>(21 * mib + 512));
    CHECK(checked(path).corruptions == 0);
    check_written(directory, path);
  }
}

TEST_CASE("vhdx: what QEMU writes into a new image is read") {
  const TemporaryDirectory directory;
  const std::string path = directory / "image.vhdx";
  create_image(path, new_image(24 * mib, "block_size=1M"));
  must_run("qemu-io -f vhdx -c 'write -P 1 500k 3M' -c 'write -P 2 20M 1k' " + path);
  CHECK(content_of(*open_format(vhdx_driver, path)) == converted(directory, path));
}

TEST_CASE("vhdx: a chunk's end in the BAT of a large new image is where QEMU has it") {
  const TemporaryDirectory directory;
  const std::string path = directory / "image.vhdx";
  // With blocks of 256 MiB a chunk has 16 of them, so that this disk has three chunks.
  create_image(path, new_image(40 * 256 * mib, "block_size=256M"));
  const std::vector<std::byte> data(4096, std::byte{0x33});
  {
    const DiskPtr disk = open_format(vhdx_driver, path, Access::read_write);
    for (const std::uint64_t block : {15, 16, 17, 33}) {
      disk->write(block * 256 * mib + 5 * mib, data);
    }
  }
  for (const std::uint64_t block : {15, 16, 17, 33}) {
    const std::string output =
        must_run("qemu-io -r -f vhdx -c 'read -P 0x33 " + std::to_string(block * 256 + 5) +
                 "M 4k' -c 'read -P 0 " + std::to_string(block * 256 + 6) + "M 4k' " + path);
    CHECK_MESSAGE(output.find("failed") == std::string::npos, output);
  }
}

TEST_CASE("vhdx: what cannot be made is refused before the file is touched") {
  CHECK(error_of_creation(new_image((std::uint64_t{64} << 40) + 1, "")) == EINVAL);
  CHECK(error_of_creation(new_image(mib, "block_size=3M")) == EINVAL);
  CHECK(error_of_creation(new_image(mib, "block_size=512k")) == EINVAL);
  CHECK(error_of_creation(new_image(mib, "block_size=512M")) == EINVAL);
  CHECK(error_of_creation(new_image(mib, "log_size=1000000")) == EINVAL);
  CHECK(error_of_creation(new_image(mib, "subformat=x")) == EINVAL);
  CHECK(error_of_creation(new_image(mib, "cluster_size=1M")) == EINVAL);
  NewImage child = new_image(mib, "");
  child.backing_file = "base";
  CHECK(error_of_creation(child) == EOPNOTSUPP);
  NewImage compressed = new_image(mib, "");
  compressed.compress = true;
  CHECK(error_of_creation(compressed) == EINVAL);
}

TEST_CASE("vhdx: the GUIDs of the file and its data change with the first write only") {
  const DiskPtr file = make_memory_disk(VhdxImage().bytes);
  const auto before = read_object<vhdx::Header>(*file, 128U << 10);
  {
    TestContext context({}, Access::read_write);
    const DiskPtr disk = vhdx_driver.open(file, context);
    content_of(*disk);
    disk->flush();
  }
  CHECK(read_object<vhdx::Header>(*file, 128U << 10).checksum == before.checksum);
  {
    TestContext context({}, Access::read_write);
    vhdx_driver.open(file, context)->write(0, std::vector<std::byte>(512, std::byte{1}));
  }
  for (const std::uint64_t at : {64U << 10, 128U << 10}) {
    const auto after = read_object<vhdx::Header>(*file, at);
    CHECK(after.file_write_guid != before.file_write_guid);
    CHECK(after.data_write_guid != before.data_write_guid);
    CHECK(is_zero(after.log_guid));
    CHECK(after.sequence_number > before.sequence_number);
  }
}

TEST_CASE("vhdx: more changes of the BAT than one log entry holds are all written") {
  // 126 pages fit into half of a log of 1 MiB; each has the entries of 512 blocks.
  const TemporaryDirectory directory;
  const std::string path = directory / "image.vhdx";
  const std::uint64_t pages = 300;
  create_image(path, new_image(pages * 512 * mib, "block_size=1M,log_size=1M"));
  const std::vector<std::byte> data = random_bytes(512, 9);
  {
    const DiskPtr disk = open_format(vhdx_driver, path, Access::read_write);
    for (std::uint64_t page = 0; page < pages; ++page) {
      disk->write(page * 512 * mib, data);
    }
    disk->flush();
  }
  const DiskPtr disk = open_format(vhdx_driver, path);
  std::vector<std::byte> content(512);
  for (std::uint64_t page = 0; page < pages; ++page) {
    disk->read(page * 512 * mib, content);
    CHECK(content == data);
  }
  must_run("qemu-img check -f vhdx " + path);
  CHECK(checked(path).allocated_blocks == pages);
}

TEST_CASE("vhdx: QEMU replays the log of an image that was flushed and not closed") {
  const TemporaryDirectory directory;
  const std::string path = directory / "image.vhdx";
  create_image(path, new_image(20 * mib, "block_size=1M"));
  std::vector<std::byte> model(20 * mib);
  {
    const DiskPtr disk = open_format(vhdx_driver, path, Access::read_write);
    change(*disk, model, 5);
    disk->flush();
    must_run("cp --sparse=always " + path + " " + directory / "killed.vhdx");
  }
  CHECK(content_of(*open_format(vhdx_driver, directory / "killed.vhdx")) == model);
  const ImageInfo info = vhdx_driver.info(
      *open_host_file(directory / "killed.vhdx", Access::read_only, Locking::off, nullptr));
  CHECK(info.facts[5].second == "to be replayed");
  run("qemu-img check -r all -f vhdx " + directory / "killed.vhdx");
  CHECK(converted(directory, directory / "killed.vhdx") == model);
}

TEST_CASE("vhdx: the log of the dirty sample is replayed into the file when that is written") {
  const TemporaryDirectory directory;
  const std::string path = unpack_image(directory, "formats/vhdx-dirty.vhdx");
  const std::vector<std::byte> content = content_of(*open_format(vhdx_driver, path));
  open_format(vhdx_driver, path, Access::read_write);
  CHECK(converted(directory, path) == content);
}

TEST_CASE("vhdx: a check finds blocks that overlap, leave the file or lie in the structure") {
  const TemporaryDirectory directory;
  const std::string path = directory / "image.vhdx";
  VhdxImage image({.disk_size = 8 * mib});
  const std::uint64_t place = image.add_block(0, std::byte{1});
  write_file(path, image.bytes);
  CHECK(checked(path).corruptions == 0);
  CHECK(checked(path).allocated_blocks == 1);
  CHECK(checked(path).total_blocks == 8);
  image.set_entry(1, place, 6);
  image.set_entry(2, 100 * mib, 6);
  image.set_entry(3, vhdx_metadata_at, 6);
  image.set_entry(4, 0, 4);
  image.set_entry(5, place, 7);
  image.bytes[64U << 10] ^= std::byte{1};
  image.bytes[256U << 10] ^= std::byte{1};
  write_file(path, image.bytes);
  const CheckReport report = checked(path);
  CHECK(report.corruptions == 8);
  CHECK(report.findings == std::vector<std::string>{
                               "header 1 has no valid signature and checksum",
                               "region table 2 has no valid signature, checksum and count",
                               "block 1 at 0x400000 overlaps another one",
                               "block 2 at 0x6400000 (+0x100000) lies beyond the file end 0x500000",
                               "block 3 at 0x200000 lies in a region of the file's structure",
                               "block 4: state 4, which there is not",
                               "block 5 at 0x400000 overlaps another one",
                               "block 5 is present in part, and has no sector bitmap",
                           });
}

TEST_CASE("vhdx: a repair gives back what nothing refers to at the end of the file") {
  const TemporaryDirectory directory;
  const std::string path = directory / "image.vhdx";
  VhdxImage image({.disk_size = 8 * mib});
  image.add_block(0, std::byte{1});
  image.append(std::vector<std::byte>(mib));
  const std::uint64_t last = image.add_block(5, std::byte{2});
  image.append(std::vector<std::byte>(2 * mib));
  write_file(path, image.bytes);
  CHECK(checked(path).leaks == 3);
  CHECK(checked(path).leaks_fixed == 0);
  CHECK(read_file(path) == image.bytes);
  const std::vector<std::byte> content = content_of(*open_format(vhdx_driver, path));
  const CheckReport report = checked(path, Repair::leaks);
  CHECK(report.leaks == 3);
  CHECK(report.leaks_fixed == 2);
  CHECK(read_file(path).size() == last + mib);
  CHECK(checked(path).leaks == 1);
  CHECK(converted(directory, path) == content);
}

}  // namespace vimg::test
