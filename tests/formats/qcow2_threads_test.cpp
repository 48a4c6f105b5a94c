// Several threads on one qcow2 disk; worth most under the thread sanitizer.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "disk/memory_disk.h"
#include "disk/slice.h"
#include "disk/worker_pool.h"
#include "tests/formats/qcow2_support.h"
#include "tests/support/host.h"

namespace vimg::test {
namespace {

constexpr std::uint64_t block = 4096;
constexpr unsigned threads = 4;

// Owns every block whose number is `self` modulo the number of threads, so neighbours in one
// cluster belong to different threads.
class Worker {
 public:
  Worker(Disk& disk, unsigned self, const std::vector<std::byte>& before)
      : disk_(disk), self_(self), random_(self), model_(before) {}

  // The number of blocks that did not read as they had been written.
  unsigned work(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
    }
    return wrong_;
  }

  void copy_own_to(std::vector<std::byte>& out) const {
    for (std::uint64_t at = self_ * block; at + block <= out.size(); at += threads * block) {
      std::copy_n(model_.begin() + std::ptrdiff_t(at), block, out.begin() + std::ptrdiff_t(at));
    }
  }

 private:
  void step() {
    const std::uint64_t own_blocks = disk_.size() / block / threads;
    const std::uint64_t offset = (random_() % own_blocks * threads + self_) * block;
    const Bytes own = Bytes(model_).subspan(offset, block);
    switch (random_() % 8) {
      case 0:
        std::ranges::fill(own, std::byte{0});
        disk_.write_zeros(offset, block);
        break;
      case 1:
      case 2:
      case 3:
        std::ranges::fill(own, std::byte(1 + random_() % 255));
        disk_.write(offset, own);
        break;
      default: {
        std::vector<std::byte> now(block);
        disk_.read(offset, now);
        wrong_ += std::ranges::equal(now, own) ? 0 : 1;
      }
    }
  }

  Disk& disk_;
  const unsigned self_;
  std::mt19937_64 random_;
  std::vector<std::byte> model_;
  unsigned wrong_ = 0;
};

// The clusters beyond `limit` belong to nobody but this, which makes them come and go.
void churn(Disk& disk, std::uint64_t limit, const std::atomic<bool>& stop) {
  std::mt19937_64 random(99);
  const std::vector<std::byte> data(200000, std::byte{0xee});
  while (!stop) {
    const std::uint64_t offset = limit + random() % (disk.size() - limit - data.size());
    if (random() % 2 == 0) {
      disk.write(offset, data);
    } else {
      disk.discard(offset, data.size());
    }
    if (random() % 4 == 0) {
      disk.flush();
    }
    disk.extent(offset, data.size());
  }
}

void run_threads(const std::string& make) {
  CAPTURE(make);
  const TemporaryDirectory directory;
  const std::string in = "cd " + directory.path() + " && ";
  must_run(in + make);
  const std::string path = directory / "image.qcow2";
  constexpr std::uint64_t shared_size = 2U << 20;
  std::vector<std::byte> expected;
  {
    const DiskPtr disk = open_qcow2(path, Access::read_write);
    const std::vector<std::byte> before = content_of(*disk);
    const DiskPtr shared = make_slice(disk, 0, shared_size);
    std::vector<Worker> workers;
    for (unsigned self = 0; self < threads; ++self) {
      workers.emplace_back(*shared, self, before);
    }
    std::atomic<unsigned> wrong = 0;
    std::atomic<bool> stop = false;
    std::thread churner([&] { churn(*disk, shared_size, stop); });
    std::vector<std::thread> running;
    for (Worker& worker : workers) {
      running.emplace_back([&] { wrong += worker.work(400); });
    }
    for (std::thread& thread : running) {
      thread.join();
    }
    stop = true;
    churner.join();
    CHECK(wrong == 0);
    expected = content_of(*disk);
    for (const Worker& worker : workers) {
      std::vector<std::byte> own = expected;
      worker.copy_own_to(own);
      const auto end = own.begin() + std::ptrdiff_t(shared_size);
      CHECK(std::equal(own.begin(), end, expected.begin()));
    }
  }
  const std::string check = run(in + "qemu-img check image.qcow2").output;
  CHECK_MESSAGE(check.find("No errors") != std::string::npos, check);
  write_file(directory / "model", expected);
  CHECK(run(in + "qemu-img compare -f raw -F qcow2 model image.qcow2").exit_code == 0);
}

constexpr char backed[] =
    "qemu-img create -q -f qcow2 base.qcow2 4M && "
    "qemu-io -f qcow2 -c 'write -P 9 100k 3500k' base.qcow2 >/dev/null && "
    "qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 ";

}  // namespace

TEST_CASE("qcow2: threads that write neighbouring blocks do not disturb each other") {
  run_threads("qemu-img create -q -f qcow2 image.qcow2 4M");
  run_threads(std::string(backed) + "-o cluster_size=16k image.qcow2");
  run_threads(std::string(backed) + "-o extended_l2=on image.qcow2");
  run_threads(std::string(backed) +
              "image.qcow2 && qemu-img convert -c -O qcow2 base.qcow2 image.qcow2");
}

TEST_CASE("qcow2: threads read compressed clusters ahead of each other") {
  const TemporaryDirectory directory;
  const std::string path = unpack_image(directory, "formats/qcow2-zstd.qcow2");
  const DiskPtr disk = open_qcow2(path);
  const std::vector<std::byte> expected = content_of(*disk);
  std::atomic<unsigned> wrong = 0;
  std::vector<std::thread> running;
  for (unsigned self = 0; self < threads; ++self) {
    running.emplace_back([&, self] {
      std::vector<std::byte> now(131072);
      for (std::uint64_t at = self * 999424; at + now.size() <= disk->size(); at += now.size()) {
        disk->read(at, now);
        wrong += std::equal(now.begin(), now.end(), expected.begin() + std::ptrdiff_t(at)) ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : running) {
    thread.join();
  }
  CHECK(wrong == 0);
}

namespace {

// Holds up reads until two of them are under way at once, or for a second.
class MeetingDisk final : public Disk {
 public:
  explicit MeetingDisk(DiskPtr disk) : disk_(std::move(disk)) {}

  std::uint64_t size() const noexcept override { return disk_->size(); }
  void begin() { waiting_ = true; }
  bool met() const {
    const std::lock_guard lock(mutex_);
    return met_;
  }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override {
    if (waiting_) {
      std::unique_lock lock(mutex_);
      ++inside_;
      met_ = met_ || inside_ > 1;
      changed_.notify_all();
      changed_.wait_for(lock, std::chrono::seconds(1), [this] { return met_; });
      --inside_;
    }
    disk_->read(offset, out);
  }

  const DiskPtr disk_;
  std::atomic<bool> waiting_ = false;
  mutable std::mutex mutex_;  // guards all below
  mutable std::condition_variable changed_;
  mutable int inside_ = 0;
  mutable bool met_ = false;
};

}  // namespace

TEST_CASE("qcow2: one sequential reader has several compressed clusters decoded at once") {
  if (WorkerPool::shared().thread_count() == 0) {
    MESSAGE("skipped: there is only one CPU");
    return;
  }
  const TemporaryDirectory directory;
  const auto file = std::make_shared<MeetingDisk>(
      make_memory_disk(read_file(unpack_image(directory, "formats/qcow2-zstd.qcow2"))));
  TestContext context;
  const DiskPtr disk = qcow2_driver.open(file, context);
  file->begin();
  std::vector<std::byte> piece(65536);
  for (std::uint64_t at = 0; at + piece.size() <= disk->size(); at += piece.size()) {
    disk->read(at, piece);
  }
  CHECK(file->met());
}

}  // namespace vimg::test
