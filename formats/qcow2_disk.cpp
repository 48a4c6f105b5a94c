#include "formats/qcow2_disk.h"

#include <exception>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/qcow2_map.h"
#include "formats/qcow2_reader.h"
#include "formats/qcow2_snapshots.h"
#include "formats/qcow2_writer.h"

namespace vimg::qcow2 {
namespace {

// Which L1 table to show, and how large a disk.
struct State {
  std::uint64_t size;
  std::uint64_t l1_offset;
  std::uint32_t l1_count;
};

State state_to_show(const Disk& file, const Header& header, const std::string& snapshot_name) {
  if (snapshot_name.empty()) {
    return {header.size, header.l1_offset, header.l1_count};
  }
  const auto snapshots = read_snapshots(file, header);
  const Snapshot& snapshot = find_snapshot(snapshots, snapshot_name);
  if (snapshot.info.disk_size > max_virtual_size) {
    throw_corrupt(layer,
                  fmt::format("snapshot \"{}\" has a disk of {:#x} bytes; at most {:#x} are "
                              "possible",
                              snapshot.info.name, snapshot.info.disk_size, max_virtual_size));
  }
  return {snapshot.info.disk_size, snapshot.l1_offset, snapshot.l1_count};
}

DiskPtr open_data_file(const Header& header, DiskPtr file, OpenContext& context) {
  if (!header.external_data()) {
    return file;
  }
  if (!header.data_file) {
    throw_corrupt(layer, "the image has an external data file but does not name it");
  }
  return context.open_file(*header.data_file);
}

Files open_files(const Header& header, DiskPtr file, OpenContext& context) {
  Files files;
  files.file = file;
  files.data = open_data_file(header, std::move(file), context);
  if (header.backing_file) {
    files.backing = context.open_image(*header.backing_file, header.backing_format.value_or(""));
  }
  return files;
}

class Qcow2Disk final : public Disk {
 public:
  Qcow2Disk(const Header& header, const State& state, const Files& files,
            std::vector<std::uint64_t> l1, std::uint64_t cache_bytes, Access access)
      : size_(state.size),
        map_(Geometry(header), files.file, state.l1_offset, std::move(l1), cache_bytes / 4),
        reader_(header, files, map_, state.size,
                access == Access::read_only ? HostExtents::named : HostExtents::unnamed,
                cache_bytes / 2) {
    if (access == Access::read_write) {
      writer_ = std::make_unique<Writer>(header, files, map_, reader_, cache_bytes / 8);
    }
  }

  // Who wants to know whether it worked has called flush(); what is left to do then is to give
  // clusters back, and an image where that failed is a sound one.
  ~Qcow2Disk() override {
    if (writer_) {
      try {
        writer_->close();
      } catch (const std::exception&) {
        // Nobody can be told any more.
      }
    }
  }

  std::uint64_t size() const noexcept override { return size_; }
  bool writable() const noexcept override { return writer_ != nullptr; }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override {
    const Epochs::Guard inside(epochs());
    reader_.read(offset, out);
  }
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override {
    const Epochs::Guard inside(epochs());
    return reader_.extent(offset, max);
  }
  void do_write(std::uint64_t offset, ConstBytes data) override { writer_->write(offset, data); }
  void do_write_zeros(std::uint64_t offset, std::uint64_t length) override {
    writer_->write_zeros(offset, length);
  }
  void do_discard(std::uint64_t offset, std::uint64_t length) override {
    writer_->discard(offset, length);
  }
  void do_flush() override { writer_->flush(); }

  Epochs* epochs() const noexcept { return writer_ ? &writer_->epochs() : nullptr; }

  const std::uint64_t size_;
  ClusterMap map_;
  const Reader reader_;
  std::unique_ptr<Writer> writer_;  // null: read-only
};

// What the image allows of what was asked for.
Access access_to(const Header& header, const Disk& file, OpenContext& context) {
  if (header.dirty()) {
    context.warn("qcow2: the image was not closed properly; its refcounts may be wrong");
  }
  if (header.corrupt()) {
    context.warn("qcow2: the image is marked as corrupt and can only be read");
    return Access::read_only;
  }
  // Snapshots are what was; only the current state can be changed.
  return context.snapshot().empty() && file.writable() ? context.access() : Access::read_only;
}

}  // namespace

DiskPtr open_disk(DiskPtr file, OpenContext& context) {
  const Header header = read_header(*file);
  refuse_encryption(header);
  const Access access = access_to(header, *file, context);
  const State state = state_to_show(*file, header, context.snapshot());
  auto l1 = read_l1(*file, state.l1_offset, state.l1_count);
  const Files files = open_files(header, std::move(file), context);
  return std::make_shared<Qcow2Disk>(header, state, files, std::move(l1), context.cache_bytes(),
                                     access);
}

}  // namespace vimg::qcow2
