#include "lvm/concatenation.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace vimg {
namespace {

struct Part {
  std::uint64_t start;  // in the concatenation
  DiskPtr disk;
};

// Immutable; as thread-safe as its parts.
class Concatenation final : public Disk {
 public:
  Concatenation(const std::vector<DiskPtr>& disks, std::vector<DiskPtr> roots)
      : roots_(std::move(roots)),
        writable_(
            std::ranges::all_of(disks, [](const DiskPtr& disk) { return disk->writable(); })) {
    for (const DiskPtr& disk : disks) {
      parts_.push_back({size_, disk});
      size_ += disk->size();
      sector_size_ = std::max(sector_size_, disk->sector_size());
    }
  }

  std::uint64_t size() const noexcept override { return size_; }
  std::uint32_t sector_size() const noexcept override { return sector_size_; }
  bool writable() const noexcept override { return writable_; }

 private:
  // The part that holds the byte at `offset`, which is inside the disk.
  const Part& part_at(std::uint64_t offset) const {
    return *std::prev(std::ranges::upper_bound(parts_, offset, {}, &Part::start));
  }

  // Calls action(disk, offset in disk, done, length) for each part that a range touches, in order.
  template <typename Action>
  void for_each_part(std::uint64_t offset, std::uint64_t length, Action&& action) const {
    for (std::uint64_t done = 0; done < length;) {
      const Part& part = part_at(offset + done);
      const std::uint64_t inside = offset + done - part.start;
      const std::uint64_t step = std::min(length - done, part.disk->size() - inside);
      action(*part.disk, inside, done, step);
      done += step;
    }
  }

  void do_read(std::uint64_t offset, Bytes out) const override {
    for_each_part(offset, out.size(), [&](const Disk& disk, auto inside, auto done, auto step) {
      disk.read(inside, out.subspan(done, step));
    });
  }
  void do_write(std::uint64_t offset, ConstBytes data) override {
    for_each_part(offset, data.size(), [&](Disk& disk, auto inside, auto done, auto step) {
      disk.write(inside, data.subspan(done, step));
    });
  }
  void do_write_zeros(std::uint64_t offset, std::uint64_t length) override {
    for_each_part(offset, length,
                  [](Disk& disk, auto inside, auto, auto step) { disk.write_zeros(inside, step); });
  }
  void do_discard(std::uint64_t offset, std::uint64_t length) override {
    for_each_part(offset, length,
                  [](Disk& disk, auto inside, auto, auto step) { disk.discard(inside, step); });
  }
  void do_flush() override {
    for (const DiskPtr& root : roots_) {
      root->flush();
    }
  }
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override {
    const Part& part = part_at(offset);
    return part.disk->extent(offset - part.start, max);
  }

  std::vector<Part> parts_;
  std::vector<DiskPtr> roots_;
  std::uint64_t size_ = 0;
  std::uint32_t sector_size_ = 512;
  bool writable_;
};

}  // namespace

DiskPtr make_concatenation(const std::vector<DiskPtr>& parts, std::vector<DiskPtr> roots) {
  return std::make_shared<Concatenation>(parts, std::move(roots));
}

}  // namespace vimg
