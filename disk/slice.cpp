#include "disk/slice.h"

#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg {
namespace {

enum class Access { same, read_only };

class Slice final : public Disk {
 public:
  Slice(DiskPtr disk, std::uint64_t offset, std::uint64_t length, Access access)
      : disk_(std::move(disk)),
        offset_(offset),
        length_(length),
        writable_(access == Access::same && disk_->writable()) {}

  std::uint64_t size() const noexcept override { return length_; }
  std::uint32_t sector_size() const noexcept override { return disk_->sector_size(); }
  bool writable() const noexcept override { return writable_; }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override {
    disk_->read(offset_ + offset, out);
  }
  void do_write(std::uint64_t offset, ConstBytes data) override {
    disk_->write(offset_ + offset, data);
  }
  void do_write_zeros(std::uint64_t offset, std::uint64_t length) override {
    disk_->write_zeros(offset_ + offset, length);
  }
  void do_discard(std::uint64_t offset, std::uint64_t length) override {
    disk_->discard(offset_ + offset, length);
  }
  void do_flush() override { disk_->flush(); }
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override {
    return disk_->extent(offset_ + offset, max);
  }

  DiskPtr disk_;
  std::uint64_t offset_;
  std::uint64_t length_;
  bool writable_;
};

}  // namespace

DiskPtr make_slice(DiskPtr disk, std::uint64_t offset, std::uint64_t length) {
  if (!fits(offset, length, disk->size())) {
    throw_error(
        EINVAL, "slice",
        fmt::format("{:#x} (+{:#x}) lies beyond the end {:#x}", offset, length, disk->size()));
  }
  return std::make_shared<Slice>(std::move(disk), offset, length, Access::same);
}

DiskPtr make_read_only(DiskPtr disk) {
  if (!disk->writable()) {
    return disk;
  }
  const std::uint64_t size = disk->size();
  return std::make_shared<Slice>(std::move(disk), 0, size, Access::read_only);
}

}  // namespace vimg
