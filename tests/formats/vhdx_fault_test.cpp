// VHDX: what comes of reads and writes that fail, and of a power cut.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/formats/vhdx_image.h"
#include "tests/support/fault_disk.h"
#include "tests/support/host.h"
#include "tests/support/recording_disk.h"

namespace vimg::test {
namespace {

constexpr std::uint64_t mib = 1U << 20;
constexpr std::uint64_t disk_size = 2048 * mib;

// With a block, a log to be replayed, and everything else that is read to open it.
VhdxImage varied_image() {
  VhdxImage image({.disk_size = disk_size});
  image.add_block(1, std::byte{0x11});
  image.append(std::vector<std::byte>(mib, std::byte{0x44}));
  std::vector<std::byte> page(4096);
  std::copy_n(image.bytes.begin() + vhdx_bat_at, 4096, page.begin());
  store(Bytes(page), 4 * 8, le64(5 * mib | 6));
  image.add_log_entry(0, 0, 1, {{vhdx_bat_at, page}});
  image.begin_log();
  return image;
}

// 0 when no read failed, or the errno.  Content that is read is right.
int read_with_fault(const DiskPtr& memory, std::uint64_t failing,
                    const std::vector<std::byte>& expected) {
  const auto file = std::make_shared<FaultDisk>(memory);
  file->fail_read = failing;
  try {
    vhdx_driver.info(*file);
    TestContext context;
    const DiskPtr disk = vhdx_driver.open(file, context);
    std::vector<std::byte> sector(512);
    for (const std::uint64_t offset : {std::uint64_t{0}, mib, 4 * mib}) {
      disk->read(offset, sector);
      CHECK(std::ranges::equal(sector, ConstBytes(expected).subspan(offset, 512)));
    }
    vhdx_driver.check(file, context, Repair::nothing);
  } catch (const Error& error) {
    return error.code();
  }
  return 0;
}

// The entries of these blocks are in different pages of the BAT, but for the last ones.
constexpr std::uint64_t written_at[] = {1000, 600 * mib - 10, 1200 * mib + 512, 1201 * mib};

// A write, and a flush after it, for each place; gives how many steps were taken after each flush.
std::vector<std::size_t> write_and_flush(RecordingDisk& file, Disk& disk) {
  std::vector<std::size_t> done;
  for (const std::uint64_t offset : written_at) {
    disk.write(offset, std::vector<std::byte>(600, std::byte{0x99}));
    disk.flush();
    done.push_back(file.steps().size());
  }
  return done;
}

// The file after a cut at `cut`: of what was done after the last flush before that, each piece has
// been kept or lost by chance.  Small writes are torn in pieces of `small` bytes.
std::vector<std::byte> after_power_cut(std::vector<std::byte> content,
                                       const std::vector<RecordingDisk::Step>& steps,
                                       std::size_t cut, unsigned seed, std::size_t small) {
  std::minstd_rand random(seed);
  std::size_t flushed = 0;
  for (std::size_t i = 0; i < cut; ++i) {
    flushed = steps[i].kind == RecordingDisk::Step::Kind::flush ? i : flushed;
  }
  for (std::size_t i = 0; i < cut; ++i) {
    const RecordingDisk::Step& step = steps[i];
    if (step.kind == RecordingDisk::Step::Kind::resize) {
      content.resize(std::max<std::size_t>(content.size(), step.offset));
    }
    if (i < flushed) {
      std::ranges::copy(step.data, content.begin() + std::ptrdiff_t(step.offset));
    }
    const std::size_t piece = step.data.size() <= 8192 ? small : 512;
    for (std::size_t at = 0; i >= flushed && at < step.data.size(); at += piece) {
      if (random() % 2 == 0) {
        const std::size_t length = std::min(piece, step.data.size() - at);
        std::copy_n(step.data.begin() + std::ptrdiff_t(at), length,
                    content.begin() + std::ptrdiff_t(step.offset + at));
      }
    }
  }
  return content;
}

bool holds(const Disk& disk, std::uint64_t offset) {
  std::vector<std::byte> data(600);
  disk.read(offset, data);
  return data == std::vector<std::byte>(600, std::byte{0x99});
}

// The image of a session whose every step is known, the last of them after the close.
struct Session {
  std::vector<std::byte> before;
  std::shared_ptr<RecordingDisk> file;
  std::vector<std::size_t> flushed;  // steps that were done when each write was flushed
};

Session session_on(const VhdxImage& image) {
  Session session{image.bytes, std::make_shared<RecordingDisk>(image.bytes), {}};
  TestContext context({}, Access::read_write);
  const DiskPtr disk = vhdx_driver.open(session.file, context);
  session.flushed = write_and_flush(*session.file, *disk);
  return session;
}

void check_content(const Disk& disk, const Session& session, std::size_t cut) {
  for (std::size_t i = 0; i < session.flushed.size(); ++i) {
    CHECK((cut < session.flushed[i] || holds(disk, written_at[i])));
  }
  std::vector<std::byte> sector(512);
  disk.read(mib + 5000, sector);
  CHECK(sector == std::vector<std::byte>(512, std::byte{0x11}));
}

void check_after_cut(const Session& session, std::size_t cut, unsigned seed) {
  // No disk tears between any two bytes, but the log guards against that, too.
  const DiskPtr file =
      make_memory_disk(after_power_cut(session.before, session.file->steps(), cut, seed, 1));
  TestContext context;
  check_content(*vhdx_driver.open(file, context), session, cut);
  // A header that was being written may be torn; that is why there are two.
  const CheckReport report = vhdx_driver.check(file, context, Repair::nothing);
  CHECK(report.corruptions <=
        (report.corruptions != 0 && report.findings[0].starts_with("header")));
}

}  // namespace

TEST_CASE("vhdx: whichever read fails, an error comes out and no wrong byte") {
  const DiskPtr memory = make_memory_disk(varied_image().bytes);
  std::vector<std::byte> expected(6 * mib);
  std::fill_n(expected.begin() + mib, mib, std::byte{0x11});
  std::fill_n(expected.begin() + 4 * mib, mib, std::byte{0x44});
  std::uint64_t failing = 0;
  while (const int code = read_with_fault(memory, failing, expected)) {
    CHECK(code == EIO);
    ++failing;
  }
  CHECK(failing > 20);
}

TEST_CASE("vhdx: whichever write fails, what was flushed before is there") {
  const VhdxImage image = varied_image();
  std::uint64_t failing = 0;
  for (bool failed = true; failed; ++failing) {
    CAPTURE(failing);
    const auto file = std::make_shared<FaultDisk>(make_memory_disk(image.bytes));
    file->fail_write = failing;
    std::size_t flushed = 0;
    failed = false;
    try {
      TestContext context({}, Access::read_write);
      const DiskPtr disk = vhdx_driver.open(file, context);
      for (const std::uint64_t offset : written_at) {
        disk->write(offset, std::vector<std::byte>(600, std::byte{0x99}));
        disk->flush();
        ++flushed;
      }
    } catch (const Error& error) {
      CHECK(error.code() == EIO);
      failed = true;
    }
    TestContext context;
    const DiskPtr disk = vhdx_driver.open(file, context);
    for (std::size_t i = 0; i < flushed; ++i) {
      CHECK(holds(*disk, written_at[i]));
    }
    CHECK(vhdx_driver.check(file, context, Repair::nothing).corruptions == 0);
  }
  CHECK(failing > 10);
}

TEST_CASE("vhdx: a flush that failed is made up for by the next one") {
  const auto file = std::make_shared<FaultDisk>(make_memory_disk(VhdxImage().bytes));
  {
    TestContext context({}, Access::read_write);
    const DiskPtr disk = vhdx_driver.open(file, context);
    disk->write(1000, std::vector<std::byte>(600, std::byte{0x99}));
    file->fail_write = file->writes.load();
    CHECK_THROWS_AS(disk->flush(), Error);
    disk->flush();
  }
  TestContext context;
  CHECK(holds(*vhdx_driver.open(file, context), 1000));
}

TEST_CASE("vhdx: wherever the power goes, what was flushed is there and QEMU can replay it") {
  const TemporaryDirectory directory;
  const std::string path = directory / "cut.vhdx";
  const Session session = session_on(varied_image());
  CHECK(session.file->steps().size() > 20);
  for (std::size_t cut = 0; cut <= session.file->steps().size(); ++cut) {
    for (unsigned seed = 1; seed <= 2; ++seed) {
      CAPTURE(cut);
      CAPTURE(seed);
      check_after_cut(session, cut, seed);
    }
    if (cut % 12 == 0) {
      // QEMU opens no image with a log entry that is torn within its first page.
      write_file(path, after_power_cut(session.before, session.file->steps(), cut, 1, 4096));
      run("qemu-img check -r all -f vhdx " + path);
      must_run("qemu-img check -f vhdx " + path);
      check_content(*open_format(vhdx_driver, path), session, cut);
    }
  }
}

}  // namespace vimg::test
