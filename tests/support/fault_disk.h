// FaultDisk: a Disk that wraps a Disk and fails on demand, for fault tests.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "disk/disk.h"
#include "disk/error.h"

namespace vimg::test {

// Counts reads and writes; the one numbered fail_read or fail_write (from 0) throws Error(EIO).
class FaultDisk final : public Disk {
 public:
  static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

  explicit FaultDisk(DiskPtr disk) : disk_(std::move(disk)) {}

  std::uint64_t size() const noexcept override { return disk_->size(); }
  std::uint32_t sector_size() const noexcept override { return disk_->sector_size(); }
  bool writable() const noexcept override { return disk_->writable(); }

  std::atomic<std::uint64_t> fail_read = never;
  std::atomic<std::uint64_t> fail_write = never;
  mutable std::atomic<std::uint64_t> reads = 0;
  std::atomic<std::uint64_t> writes = 0;
  std::atomic<std::uint64_t> flushes = 0;

 private:
  void do_read(std::uint64_t offset, Bytes out) const override {
    if (reads++ == fail_read) {
      throw_error(EIO, "fault", "this read was told to fail");
    }
    disk_->read(offset, out);
  }
  void do_write(std::uint64_t offset, ConstBytes data) override {
    if (writes++ == fail_write) {
      throw_error(EIO, "fault", "this write was told to fail");
    }
    disk_->write(offset, data);
  }
  void do_discard(std::uint64_t offset, std::uint64_t length) override {
    disk_->discard(offset, length);
  }
  void do_flush() override {
    ++flushes;
    disk_->flush();
  }
  void do_resize(std::uint64_t size) override { disk_->resize(size); }

  DiskPtr disk_;
};

}  // namespace vimg::test
