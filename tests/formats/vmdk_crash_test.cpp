// VMDK: what is left when a write fails or the power goes.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/formats/format_checks.h"
#include "tests/formats/vmdk_support.h"
#include "tests/support/fault_disk.h"
#include "tests/support/recording_disk.h"

namespace vimg::test {
namespace {

// In grains that are there, that are not, and both.
constexpr std::uint64_t written_at[] = {100, 5000, 8100, 600000, 30000};
constexpr std::size_t written_bytes = 6000;

// Everything before the last flush up to `cut`, and of what came after that, what chance has kept.
std::vector<std::byte> after_power_cut(std::vector<std::byte> content,
                                       const std::vector<RecordingDisk::Step>& steps,
                                       std::size_t cut, unsigned seed) {
  std::minstd_rand random(seed);
  std::size_t flushed = 0;
  for (std::size_t i = 0; i < cut; ++i) {
    flushed = steps[i].kind == RecordingDisk::Step::Kind::flush ? i : flushed;
  }
  for (std::size_t i = 0; i < cut; ++i) {
    if (i >= flushed && random() % 2 == 0) {
      continue;
    }
    if (steps[i].kind == RecordingDisk::Step::Kind::resize) {
      content.resize(std::max<std::size_t>(content.size(), steps[i].offset));
    }
    const std::size_t end = steps[i].offset + steps[i].data.size();
    if (!steps[i].data.empty()) {
      content.resize(std::max(content.size(), end));
      std::ranges::copy(steps[i].data, content.begin() + std::ptrdiff_t(steps[i].offset));
    }
  }
  return content;
}

DiskPtr opened(const DiskPtr& file, Access access = Access::read_write) {
  TestContext context({}, access);
  return vmdk_driver.open(file, context);
}

// Gives for each place the number of steps after which what is there was flushed.
std::vector<std::size_t> write_and_flush(const std::shared_ptr<RecordingDisk>& file) {
  std::vector<std::size_t> flushed;
  const DiskPtr disk = opened(file);
  for (const std::uint64_t offset : written_at) {
    disk->write(offset, std::vector<std::byte>(written_bytes, std::byte{0x99}));
    disk->flush();
    flushed.push_back(file->steps().size());
  }
  return flushed;
}

bool holds(const Disk& disk, std::uint64_t offset) {
  std::vector<std::byte> data(written_bytes);
  disk.read(offset, data);
  return data == std::vector<std::byte>(written_bytes, std::byte{0x99});
}

CheckReport checked(const DiskPtr& file, Repair repair) {
  TestContext context({}, Access::read_write);
  return vmdk_driver.check(file, context, repair);
}

// Nothing is corrupt, and what is left over can be mended.
void check_sound(const DiskPtr& file) {
  CHECK(checked(file, Repair::leaks).corruptions == 0);
  const CheckReport after = checked(file, Repair::nothing);
  CHECK(after.findings.empty());
}

}  // namespace

TEST_CASE("vmdk: wherever the power goes, what was flushed is there and nothing is corrupt") {
  const std::vector<std::byte> before = sparse_by_hand();
  const auto file = std::make_shared<RecordingDisk>(before);
  const std::vector<std::size_t> flushed = write_and_flush(file);
  for (std::size_t cut = 0; cut <= file->steps().size(); ++cut) {
    for (unsigned seed = 1; seed <= 3; ++seed) {
      CAPTURE(cut);
      CAPTURE(seed);
      const DiskPtr left = make_memory_disk(after_power_cut(before, file->steps(), cut, seed));
      const DiskPtr disk = opened(left, Access::read_only);
      for (std::size_t i = 0; i < flushed.size(); ++i) {
        CHECK((cut < flushed[i] || holds(*disk, written_at[i])));
      }
      check_sound(left);
    }
  }
}

TEST_CASE("vmdk: whichever write fails, what was flushed is there and nothing is corrupt") {
  bool failed = true;
  for (std::uint64_t failing = 0; failed; ++failing) {
    CAPTURE(failing);
    const DiskPtr memory = make_memory_disk(sparse_by_hand());
    const auto file = std::make_shared<FaultDisk>(memory);
    file->fail_write = failing;
    std::size_t flushed = 0;
    failed = false;
    try {
      const DiskPtr disk = opened(file);
      for (const std::uint64_t offset : written_at) {
        disk->write(offset, std::vector<std::byte>(written_bytes, std::byte{0x99}));
        disk->flush();
        ++flushed;
      }
    } catch (const Error& error) {
      CHECK(error.code() == EIO);
      failed = true;
    }
    for (std::size_t i = 0; i < flushed; ++i) {
      CHECK(holds(*opened(memory, Access::read_only), written_at[i]));
    }
    check_sound(memory);
  }
}

TEST_CASE("vmdk: an image is marked as open while it is written, and its copies are mended") {
  constexpr std::size_t unclean = 72;
  std::vector<std::byte> image = patched(sparse_by_hand(), 22 * vmdk::sector, le32(0));
  image[unclean] = std::byte{1};
  const DiskPtr file = make_memory_disk(image);
  TestContext context({}, Access::read_write);
  {
    const DiskPtr disk = vmdk_driver.open(file, context);
    CHECK(context.warnings.size() == 1);
    disk->write(0, bytes_of("x"));
    CHECK(content_of(*file)[unclean] == std::byte{1});
  }
  CHECK(content_of(*file)[unclean] == std::byte{0});
  CHECK(checked(file, Repair::nothing).findings.empty());
}

TEST_CASE("vmdk: a COWD extent gets the tables that it lacks") {
  FileBuilder part(8 * vmdk::sector);
  vmdk::CowdHeader header{};
  header.magic = vmdk::cowd_magic;
  header.version = 1;
  header.flags = 3;
  header.capacity = 16384;
  header.grain_size = 1;
  header.directory_offset = 4;
  header.directory_entries = 4;
  header.free_sector = 8;
  part.put(0, header);
  const TemporaryDirectory directory;
  write_file(directory / "part.vmdk", part.bytes);
  write_file(directory / "image.vmdk",
             bytes_from(descriptor_text("vmfsSparse", "RW 16384 VMFSSPARSE \"part.vmdk\"\n")));
  std::vector<std::byte> expected(8 * mib);
  {
    const DiskPtr disk = open_format(vmdk_driver, directory / "image.vmdk", Access::read_write);
    for (const std::uint64_t at : {std::uint64_t{700}, 2 * mib - 3000, 7 * mib}) {
      disk->write(at, std::vector<std::byte>(written_bytes, std::byte{0x77}));
      std::fill_n(expected.begin() + std::ptrdiff_t(at), written_bytes, std::byte{0x77});
    }
  }
  const bool is_same = qemu_content(directory, "image.vmdk") == expected;
  CHECK(is_same);
}

}  // namespace vimg::test
