#include "disk/memory_disk.h"

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <utility>

namespace vimg {
namespace {

class MemoryDisk final : public Disk {
 public:
  MemoryDisk(std::vector<std::byte> content, std::uint32_t sector_size)
      : sector_size_(sector_size), content_(std::move(content)) {}

  std::uint64_t size() const noexcept override {
    const std::shared_lock lock(mutex_);
    return content_.size();
  }
  std::uint32_t sector_size() const noexcept override { return sector_size_; }
  bool writable() const noexcept override { return true; }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override {
    const std::shared_lock lock(mutex_);
    std::copy_n(content_.begin() + std::ptrdiff_t(offset), out.size(), out.begin());
  }
  void do_write(std::uint64_t offset, ConstBytes data) override {
    const std::unique_lock lock(mutex_);
    std::copy(data.begin(), data.end(), content_.begin() + std::ptrdiff_t(offset));
  }
  void do_resize(std::uint64_t size) override {
    const std::unique_lock lock(mutex_);
    content_.resize(size);
  }

  const std::uint32_t sector_size_;
  mutable std::shared_mutex mutex_;  // guards the content
  std::vector<std::byte> content_;
};

}  // namespace

DiskPtr make_memory_disk(std::vector<std::byte> content, std::uint32_t sector_size) {
  return std::make_shared<MemoryDisk>(std::move(content), sector_size);
}

}  // namespace vimg
