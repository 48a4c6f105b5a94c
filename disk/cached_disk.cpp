#include "disk/cached_disk.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "disk/block_cache.h"

namespace vimg {
namespace {

constexpr std::uint64_t page_size = 4096;
constexpr std::uint64_t min_cache_bytes = 16 * page_size;
// A larger read is no table entry, and would only drive those out.
constexpr std::uint64_t max_cached_read = 4 * page_size;

class CachedDisk final : public Disk {
 public:
  CachedDisk(DiskPtr disk, std::uint64_t cache_bytes)
      : disk_(std::move(disk)), pages_(page_size, std::max(cache_bytes, min_cache_bytes)) {}

  std::uint64_t size() const noexcept override { return disk_->size(); }
  std::uint32_t sector_size() const noexcept override { return disk_->sector_size(); }
  bool writable() const noexcept override { return disk_->writable(); }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override {
    if (out.size() > max_cached_read) {
      disk_->read(offset, out);
      return;
    }
    while (!out.empty()) {
      const std::uint64_t skip = offset % page_size;
      const std::uint64_t length = std::min<std::uint64_t>(out.size(), page_size - skip);
      const BlockCache::Block page = pages_.get(offset / page_size, load_);
      std::ranges::copy(ConstBytes(*page).subspan(skip, length), out.begin());
      out = out.subspan(length);
      offset += length;
    }
  }

  // A page is forgotten after the write: a load that ran beside it is then not kept.
  void do_write(std::uint64_t offset, ConstBytes data) override {
    disk_->write(offset, data);
    forget(offset, data.size());
  }
  void do_write_zeros(std::uint64_t offset, std::uint64_t length) override {
    disk_->write_zeros(offset, length);
    forget(offset, length);
  }
  void do_discard(std::uint64_t offset, std::uint64_t length) override {
    disk_->discard(offset, length);
    forget(offset, length);
  }
  void do_flush() override { disk_->flush(); }
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override {
    return disk_->extent(offset, max);
  }
  void do_resize(std::uint64_t size) override {
    disk_->resize(size);
    pages_.clear();
  }

  void forget(std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t last = (offset + length - 1) / page_size;
    for (std::uint64_t page = offset / page_size; page <= last; ++page) {
      pages_.invalidate(page);
    }
  }

  const DiskPtr disk_;
  const BlockCache::Load load_ = [this](std::uint64_t page, Bytes out) {
    read_padded(*disk_, page * page_size, out);
  };
  mutable BlockCache pages_;
};

}  // namespace

DiskPtr make_cached_disk(DiskPtr disk, std::uint64_t cache_bytes) {
  return std::make_shared<CachedDisk>(std::move(disk), cache_bytes);
}

}  // namespace vimg
