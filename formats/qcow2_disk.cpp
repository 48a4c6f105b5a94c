#include "formats/qcow2_disk.h"

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/qcow2_map.h"
#include "formats/qcow2_reader.h"
#include "formats/qcow2_snapshots.h"

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
            std::vector<std::uint64_t> l1, std::uint64_t cache_bytes)
      : size_(state.size),
        map_(Geometry(header), files.file, state.l1_offset, std::move(l1), cache_bytes / 4),
        reader_(header, files, map_, state.size, HostExtents::named, cache_bytes / 2) {}

  std::uint64_t size() const noexcept override { return size_; }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override { reader_.read(offset, out); }
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override {
    return reader_.extent(offset, max);
  }

  const std::uint64_t size_;
  ClusterMap map_;
  const Reader reader_;
};

}  // namespace

DiskPtr open_disk(DiskPtr file, OpenContext& context) {
  const Header header = read_header(*file);
  refuse_encryption(header);
  const State state = state_to_show(*file, header, context.snapshot());
  auto l1 = read_l1(*file, state.l1_offset, state.l1_count);
  const Files files = open_files(header, std::move(file), context);
  return std::make_shared<Qcow2Disk>(header, state, files, std::move(l1), context.cache_bytes());
}

}  // namespace vimg::qcow2
