// VHDX: the format of Hyper-V, generation 2.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "disk/cached_disk.h"
#include "disk/error.h"
#include "disk/escape.h"
#include "disk/utf16.h"
#include "formats/driver.h"
#include "formats/vhdx_check.h"
#include "formats/vhdx_create.h"
#include "formats/vhdx_header.h"
#include "formats/vhdx_map.h"
#include "formats/vhdx_metadata.h"
#include "formats/vhdx_parent.h"
#include "formats/vhdx_replay.h"
#include "formats/vhdx_writer.h"

namespace vimg::vhdx {
namespace {

constexpr std::uint64_t max_table_cache = 8U << 20;  // bytes

// A disk that its children know again.
class VhdxDisk final : public LinkedDisk {
 public:
  VhdxDisk(DiskPtr disk, const Guid& data_write_guid)
      : disk_(std::move(disk)), data_write_guid_(data_write_guid) {}

  std::uint64_t size() const noexcept override { return disk_->size(); }
  std::uint32_t sector_size() const noexcept override { return disk_->sector_size(); }
  bool writable() const noexcept override { return disk_->writable(); }
  const Guid& data_write_guid() const noexcept override { return data_write_guid_; }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override { disk_->read(offset, out); }
  void do_write(std::uint64_t offset, ConstBytes data) override { disk_->write(offset, data); }
  void do_write_zeros(std::uint64_t offset, std::uint64_t length) override {
    disk_->write_zeros(offset, length);
  }
  void do_discard(std::uint64_t offset, std::uint64_t length) override {
    disk_->discard(offset, length);
  }
  void do_flush() override { disk_->flush(); }
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override {
    return disk_->extent(offset, max);
  }

  const DiskPtr disk_;
  const Guid data_write_guid_;
};

// A file that is only looked at while somebody else keeps it.
class BorrowedDisk final : public Disk {
 public:
  explicit BorrowedDisk(const Disk& file) : file_(file) {}
  std::uint64_t size() const noexcept override { return file_.size(); }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override { file_.read(offset, out); }

  const Disk& file_;
};

bool is_to_be_written(const Disk& file, const OpenContext& context) {
  return context.access() == Access::read_write && file.writable();
}

// `file` is replayed.
DiskPtr make_disk(const CurrentHeader& current, const Layout& layout, DiskPtr file,
                  OpenContext& context) {
  BlockDiskParts parts{layout.disk_size, layout.sector_size, file, nullptr};
  if (layout.parent_locator) {
    parts.backing = open_parent(read_parent_locator(*file, layout), layout, context);
  }
  DiskPtr tables = make_cached_disk(file, std::min(context.cache_bytes(), max_table_cache));
  if (is_to_be_written(*file, context)) {
    return make_writable_block_disk(
        std::make_unique<WritableMap>(current, layout, std::move(file), std::move(tables)),
        std::move(parts));
  }
  return make_block_disk(std::make_unique<ReadOnlyMap>(layout, std::move(file), std::move(tables)),
                         std::move(parts));
}

DiskPtr open_disk(DiskPtr file, OpenContext& context) {
  if (!context.snapshot().empty()) {
    throw_error(EINVAL, layer, "has no internal snapshots");
  }
  CurrentHeader current = read_current_header(*file);
  if (has_log(current.header)) {
    if (is_to_be_written(*file, context)) {
      replay_into_file(*file, current);
    } else {
      file = make_replayed(std::move(file), current.header);
    }
  }
  const Layout layout = read_layout(*file, current.header);
  return std::make_shared<VhdxDisk>(make_disk(current, layout, std::move(file), context),
                                    current.header.data_write_guid);
}

const char* kind_of(const Layout& layout) noexcept {
  if (layout.parent_locator) {
    return "differencing";
  }
  return layout.is_fixed ? "fixed" : "dynamic";
}

ImageInfo info(const Disk& file) {
  const CurrentHeader current = read_current_header(file);
  const DiskPtr replayed = make_replayed(std::make_shared<BorrowedDisk>(file), current.header);
  const Layout layout = read_layout(*replayed, current.header);
  ImageInfo info;
  info.format = "vhdx";
  info.virtual_size = layout.disk_size;
  if (layout.parent_locator) {
    info.backing_file = read_parent_locator(*replayed, layout).paths[0];
    info.backing_format = "vhdx";
  }
  info.facts = {
      {"subformat", kind_of(layout)},
      {"block size", std::to_string(layout.block_size)},
      {"logical sector size", std::to_string(layout.sector_size)},
      {"physical sector size", std::to_string(layout.physical_sector_size)},
      {"log size", std::to_string(current.header.log_length.value())},
      {"log", has_log(current.header) ? "to be replayed" : "empty"},
      {"disk id", guid_text(layout.disk_id)},
      {"data write guid", guid_text(current.header.data_write_guid)},
      {"created by", printable(utf8_from_utf16(read_object<FileIdentifier>(file, 0).creator))},
  };
  return info;
}

}  // namespace
}  // namespace vimg::vhdx

namespace vimg {

extern const FormatDriver vhdx_driver;
const FormatDriver vhdx_driver{"vhdx",
                               "Hyper-V generation 2",
                               vhdx::has_signature,
                               vhdx::open_disk,
                               vhdx::info,
                               vhdx::create,
                               nullptr,
                               vhdx::check};

}  // namespace vimg
