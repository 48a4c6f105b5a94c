// A host that fails in the middle: what a qcow2 disk gives then, and what it leaves behind.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/formats/qcow2_support.h"
#include "tests/support/fault_disk.h"
#include "tests/support/host.h"
#include "tests/support/recording_disk.h"

namespace vimg::test {
namespace {

// A small image with everything in it that is read in another way.
std::vector<std::byte> varied_image(const TemporaryDirectory& directory) {
  must_run("cd " + directory.path() +
           " && qemu-img create -q -f qcow2 -o cluster_size=4k source.qcow2 1M"
           " && qemu-io -c 'write -P 1 0 64k' -c 'write -z 64k 16k' source.qcow2 >/dev/null"
           " && qemu-img convert -c -O qcow2 -o cluster_size=4k source.qcow2 image.qcow2"
           " && qemu-img snapshot -c one image.qcow2"
           " && qemu-io -c 'write -P 2 32k 64k' image.qcow2 >/dev/null");
  return read_file(directory / "image.qcow2");
}

// Error codes of reading all of `image` with the n-th read failing; 0 when none was met.
int read_with_fault(const std::vector<std::byte>& image, std::uint64_t failing,
                    const std::vector<std::byte>& expected) {
  const auto file = std::make_shared<FaultDisk>(make_memory_disk(image));
  file->fail_read = failing;
  TestContext context;
  try {
    const DiskPtr disk = qcow2_driver.open(file, context);
    const std::vector<std::byte> content = content_of(*disk);
    CHECK(content == expected);
  } catch (const Error& error) {
    CHECK(file->reads > failing);
    return error.code();
  }
  return 0;
}

void make_changes(Disk& disk) {
  const std::vector<std::byte> data(20000, std::byte{7});
  disk.write(3000, data);
  disk.write(500000, data);
  disk.flush();
  disk.discard(40960, 8192);
  disk.write_zeros(100000, 30000);
  disk.write(70000, data);
  disk.flush();
}

// True when a write failed on the way.
bool change_with_fault(const DiskPtr& memory, std::uint64_t failing) {
  const auto file = std::make_shared<FaultDisk>(memory);
  file->fail_write = failing;
  TestContext context({}, Access::read_write);
  const DiskPtr disk = qcow2_driver.open(file, context);
  try {
    make_changes(*disk);
  } catch (const Error& error) {
    CHECK(error.code() == EIO);
    return true;
  }
  return false;
}

// The disk after a cut: everything before the flush that `first_lost` follows, and of the writes
// between that and the next flush those that chance has kept.
std::vector<std::byte> after_power_cut(std::vector<std::byte> content,
                                       const std::vector<RecordingDisk::Step>& steps,
                                       std::size_t first_lost, unsigned seed) {
  std::minstd_rand random(seed);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const RecordingDisk::Step& step = steps[i];
    if (step.kind == RecordingDisk::Step::Kind::flush && i >= first_lost) {
      break;
    }
    if (step.kind == RecordingDisk::Step::Kind::resize) {
      content.resize(std::max<std::size_t>(content.size(), step.offset));
    } else if (i < first_lost || random() % 2 == 0) {
      std::ranges::copy(step.data, content.begin() + std::ptrdiff_t(step.offset));
    }
  }
  return content;
}

// qemu-img check's word, but for leaked clusters: those are what a crash may leave.
bool sound(const TemporaryDirectory& directory, const std::vector<std::byte>& image,
           std::string& output) {
  write_file(directory / "crashed.qcow2", image);
  const CommandResult check = run("qemu-img check " + directory / "crashed.qcow2");
  output = check.output;
  return check.exit_code == 0 || check.exit_code == 3;
}

}  // namespace

TEST_CASE("qcow2: whichever read fails, an error comes out and no wrong byte") {
  const TemporaryDirectory directory;
  const std::vector<std::byte> image = varied_image(directory);
  must_run("cd " + directory.path() + " && qemu-img convert -O raw image.qcow2 raw");
  const std::vector<std::byte> expected = read_file(directory / "raw");
  std::uint64_t failing = 0;
  while (const int code = read_with_fault(image, failing, expected)) {
    CHECK(code == EIO);
    ++failing;
  }
  CHECK(failing > 3);
}

TEST_CASE("qcow2: whichever write fails, the image is sound but for leaked clusters") {
  const TemporaryDirectory directory;
  const std::vector<std::byte> image = varied_image(directory);
  bool failed = true;
  for (std::uint64_t failing = 0; failed; ++failing) {
    CAPTURE(failing);
    const DiskPtr memory = make_memory_disk(image);
    failed = change_with_fault(memory, failing);
    std::string output;
    CHECK_MESSAGE(sound(directory, content_of(*memory), output), output);
  }
}

TEST_CASE("qcow2: wherever the power goes, the image is sound but for leaked clusters") {
  const TemporaryDirectory directory;
  for (const bool snapshot : {false, true}) {
    std::vector<std::byte> image = varied_image(directory);
    if (!snapshot) {
      // So small that the refcount table has to move.
      image = made_by_qemu("-o cluster_size=512,refcount_bits=64 image.qcow2 4M");
    }
    const auto file = std::make_shared<RecordingDisk>(image);
    {
      TestContext context({}, Access::read_write);
      const DiskPtr disk = qcow2_driver.open(file, context);
      make_changes(*disk);
      if (!snapshot) {
        disk->write(1U << 20, std::vector<std::byte>(5U << 19, std::byte{3}));
        disk->flush();
      }
    }
    const auto& steps = file->steps();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (i > 0 && steps[i - 1].kind != RecordingDisk::Step::Kind::flush) {
        continue;
      }
      for (unsigned seed = 1; seed <= 4; ++seed) {
        CAPTURE(i);
        CAPTURE(seed);
        std::string output;
        CHECK_MESSAGE(sound(directory, after_power_cut(image, steps, i, seed), output), output);
      }
    }
  }
}

}  // namespace vimg::test
