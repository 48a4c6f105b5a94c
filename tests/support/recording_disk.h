// RecordingDisk: a Disk in memory that keeps a record of what was done to it, so that a power cut
// can be played through.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "disk/disk.h"
#include "disk/memory_disk.h"

namespace vimg::test {

class RecordingDisk final : public Disk {
 public:
  struct Step {
    enum class Kind { write, resize, flush };
    Kind kind;
    std::uint64_t offset;  // or the new size
    std::vector<std::byte> data;
  };

  explicit RecordingDisk(const std::vector<std::byte>& content)
      : disk_(make_memory_disk(content)) {}

  std::uint64_t size() const noexcept override { return disk_->size(); }
  bool writable() const noexcept override { return true; }
  const std::vector<Step>& steps() const noexcept { return steps_; }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override { disk_->read(offset, out); }
  void do_write(std::uint64_t offset, ConstBytes data) override {
    steps_.push_back({Step::Kind::write, offset, {data.begin(), data.end()}});
    disk_->write(offset, data);
  }
  void do_resize(std::uint64_t size) override {
    steps_.push_back({Step::Kind::resize, size, {}});
    disk_->resize(size);
  }
  void do_flush() override { steps_.push_back({Step::Kind::flush, 0, {}}); }

  DiskPtr disk_;
  std::vector<Step> steps_;
};

}  // namespace vimg::test
