// Locks against real QEMU programs, both ways round.
#include "sources/image_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/file_descriptor.h"
#include "tests/support/host.h"

namespace vimg {
namespace {

using test::TemporaryDirectory;

// A qemu-io that has opened `image` with `options` and waits, as a running VM would, until the end
// of the scope.
class RunningQemu {
 public:
  RunningQemu(const TemporaryDirectory& directory, const std::string& options,
              const std::string& image) {
    const std::string fifo = directory / "commands";
    if (mkfifo(fifo.c_str(), 0600) != 0) {
      throw std::runtime_error("mkfifo failed");
    }
    output_ = popen(("qemu-io " + options + " " + image + " < " + fifo + " 2>&1").c_str(), "r");
    commands_ = fopen(fifo.c_str(), "w");
    fputs("read 0 512\n", commands_);
    fflush(commands_);
    wait_for("read 512/512");
  }
  ~RunningQemu() {
    fclose(commands_);
    pclose(output_);
  }
  RunningQemu(const RunningQemu&) = delete;
  RunningQemu& operator=(const RunningQemu&) = delete;

 private:
  void wait_for(const std::string& text) {
    std::string seen;
    for (int c = fgetc(output_); c != EOF; c = fgetc(output_)) {
      seen.push_back(char(c));
      if (seen.ends_with(text)) {
        return;
      }
    }
    throw std::runtime_error("qemu-io: " + seen);
  }

  FILE* output_;
  FILE* commands_;
};

bool have_qemu() {
  if (test::have("qemu-io") && test::have("qemu-img")) {
    return true;
  }
  MESSAGE("skipped: needs qemu-img and qemu-io");
  return false;
}

struct Sample {
  TemporaryDirectory directory;
  std::string path = directory / "image.qcow2";

  Sample() { test::must_run("qemu-img create -q -f qcow2 " + path + " 1M"); }
};

DiskPtr open_locked(const std::string& path, Access access, std::string* warning = nullptr) {
  return open_host_file(path, access, Locking::on, warning);
}

Error refusal(const std::string& path) {
  try {
    open_locked(path, Access::read_write);
  } catch (const Error& error) {
    return error;
  }
  return {0, "opened"};
}

TEST_CASE("image lock: a writer is refused while QEMU writes, and told why") {
  if (!have_qemu()) {
    return;
  }
  const Sample sample;
  const RunningQemu qemu(sample.directory, "-f qcow2", sample.path);
  const Error error = refusal(sample.path);
  CHECK(error.code() == EBUSY);
  CHECK(exit_code_for(error) == ExitCode::locked);
  CHECK(error.what() == sample.path +
                            ": image is in use: another process does not share the \"write\" "
                            "permission");
}

TEST_CASE("image lock: a writer is refused while a raw image that QEMU shares is written") {
  if (!have_qemu()) {
    return;
  }
  const Sample sample;
  const RunningQemu qemu(sample.directory, "-f raw", sample.path);
  const Error error = refusal(sample.path);
  CHECK(error.code() == EBUSY);
  CHECK(error.what() ==
        sample.path + ": image is in use: another process holds the \"write\" permission");
}

TEST_CASE("image lock: a writer is refused while QEMU reads and forbids writing") {
  if (!have_qemu()) {
    return;
  }
  const Sample sample;
  const RunningQemu qemu(sample.directory, "-r -f qcow2", sample.path);
  CHECK(refusal(sample.path).code() == EBUSY);
}

TEST_CASE("image lock: a refused writer leaves no lock behind") {
  if (!have_qemu()) {
    return;
  }
  const Sample sample;
  const RunningQemu qemu(sample.directory, "-r -f qcow2", sample.path);
  CHECK(refusal(sample.path).code() == EBUSY);
  CHECK(test::run("qemu-img info " + sample.path).exit_code == 0);
}

TEST_CASE("image lock: a reader opens what QEMU writes, is warned, and forbids nothing") {
  if (!have_qemu()) {
    return;
  }
  const Sample sample;
  const RunningQemu qemu(sample.directory, "-f raw", sample.path);
  std::string warning;
  const DiskPtr disk = open_locked(sample.path, Access::read_only, &warning);
  CHECK(warning == sample.path +
                       ": image is in use: another process holds the \"write\" permission; what "
                       "is read may change and make no sense");
  CHECK(test::run("qemu-io -f raw -c 'write 0 512' " + sample.path).exit_code == 0);
}

TEST_CASE("image lock: a reader beside a reader is not warned") {
  if (!have_qemu()) {
    return;
  }
  const Sample sample;
  const RunningQemu qemu(sample.directory, "-r -f qcow2", sample.path);
  std::string warning = "old";
  CHECK(open_locked(sample.path, Access::read_only, &warning) != nullptr);
  CHECK(warning.empty());
}

TEST_CASE("image lock: qemu-nbd's export is in use like any other") {
  if (!test::have("qemu-nbd") || !have_qemu()) {
    MESSAGE("skipped: needs qemu-nbd");
    return;
  }
  const Sample sample;
  test::must_run("qemu-nbd --fork -f qcow2 -t -k " + sample.directory / "socket" + " --pid-file " +
                 sample.directory / "pid" + " " + sample.path);
  pid_t pid = 0;
  std::ifstream(sample.directory / "pid") >> pid;
  const Error error = refusal(sample.path);
  REQUIRE(pid > 1);
  REQUIRE(kill(pid, SIGTERM) == 0);
  CHECK(error.code() == EBUSY);
}

TEST_CASE("image lock: while we write, QEMU opens the image only when told to share") {
  if (!have_qemu()) {
    return;
  }
  const Sample sample;
  const DiskPtr disk = open_locked(sample.path, Access::read_write);
  const auto info = test::run("qemu-img info " + sample.path);
  CHECK(info.exit_code != 0);
  CHECK(info.output.find("Failed to get shared \"write\" lock") != std::string::npos);
  CHECK(test::run("qemu-img info -U " + sample.path).exit_code == 0);
  const auto write = test::run("qemu-io -f qcow2 -c 'write 0 512' " + sample.path);
  CHECK(write.output.find("Failed to get \"write\" lock") != std::string::npos);
}

TEST_CASE("image lock: while we read, QEMU may read and may not write") {
  if (!have_qemu()) {
    return;
  }
  const Sample sample;
  const DiskPtr disk = open_locked(sample.path, Access::read_only);
  CHECK(test::run("qemu-img info " + sample.path).exit_code == 0);
  for (const char* const format : {"qcow2", "raw"}) {
    const auto write =
        test::run(std::string("qemu-io -f ") + format + " -c 'write 0 512' " + sample.path);
    CHECK(write.output.find("Failed to get \"write\" lock") != std::string::npos);
  }
}

TEST_CASE("image lock: locks end with the disk") {
  if (!have_qemu()) {
    return;
  }
  const Sample sample;
  open_locked(sample.path, Access::read_write).reset();
  CHECK(test::run("qemu-io -f qcow2 -c 'write 0 512' " + sample.path).exit_code == 0);
}

TEST_CASE("image lock: without locking nothing is looked at and nothing is taken") {
  if (!have_qemu()) {
    return;
  }
  const Sample sample;
  const DiskPtr ours = open_host_file(sample.path, Access::read_write, Locking::off, nullptr);
  CHECK(test::run("qemu-img info " + sample.path).exit_code == 0);
  const RunningQemu qemu(sample.directory, "-f qcow2", sample.path);
  CHECK_NOTHROW(open_host_file(sample.path, Access::read_write, Locking::off, nullptr));
}

TEST_CASE("image lock: one writer of ours keeps another away, readers share") {
  const TemporaryDirectory directory;
  const std::string path = directory / "image.raw";
  test::write_file(path, std::vector<std::byte>(512));
  {
    const DiskPtr writer = open_locked(path, Access::read_write);
    CHECK(refusal(path).code() == EBUSY);
  }
  const DiskPtr first = open_locked(path, Access::read_only);
  std::string warning;
  const DiskPtr second = open_locked(path, Access::read_only, &warning);
  CHECK(warning.empty());
  CHECK(refusal(path).code() == EBUSY);
}

TEST_CASE("image lock: a file system without such locks is no obstacle") {
  // An O_PATH descriptor takes no locks at all: the call fails as it does on such file systems.
  const TemporaryDirectory directory;
  const FileDescriptor unlockable(open(directory.path().c_str(), O_PATH));
  std::string warning;
  CHECK_NOTHROW(lock_image(unlockable.get(), "x", Access::read_write, &warning));
  CHECK(warning.empty());
}

}  // namespace
}  // namespace vimg
