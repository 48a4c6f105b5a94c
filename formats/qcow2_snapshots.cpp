#include "formats/qcow2_snapshots.h"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg::qcow2 {
namespace {

// Spec: "Snapshots".
struct RawSnapshot {
  be64 l1_offset;
  be32 l1_count;
  be16 id_length;
  be16 name_length;
  be32 date_sec;
  be32 date_nsec;
  be64 vm_clock_nsec;
  be32 vm_state_size;  // superseded by the extra data's
  be32 extra_length;
};
static_assert(sizeof(RawSnapshot) == 40 && OnDisk<RawSnapshot>);

void validate(const RawSnapshot& raw, std::size_t index, const Header& header) {
  if (raw.extra_length > max_snapshot_extra) {
    throw_corrupt(layer, fmt::format("snapshot {} has {} bytes of extra data; at most {} are "
                                     "possible",
                                     index, raw.extra_length.value(), max_snapshot_extra));
  }
  if (raw.l1_count > max_l1_bytes / sizeof(be64)) {
    throw_corrupt(layer, fmt::format("snapshot {} has an L1 table of {} entries; at most {} are "
                                     "possible",
                                     index, raw.l1_count.value(), max_l1_bytes / sizeof(be64)));
  }
  if (raw.l1_offset % header.cluster_size() != 0 || raw.l1_offset >= max_host_offset) {
    throw_corrupt(layer, fmt::format("L1 table of snapshot {} at {:#x} is not at a cluster's start",
                                     index, raw.l1_offset.value()));
  }
}

// `tail` is the extra data, the ID and the name.
Snapshot translate(const RawSnapshot& raw, std::string_view tail, const Header& header) {
  const std::string_view extra = tail.substr(0, raw.extra_length);
  const std::string_view strings = tail.substr(raw.extra_length);
  Snapshot snapshot{};
  snapshot.l1_offset = raw.l1_offset;
  snapshot.l1_count = raw.l1_count;
  SnapshotInfo& info = snapshot.info;
  info.id = strings.substr(0, raw.id_length);
  info.name = strings.substr(raw.id_length, raw.name_length);
  info.date_sec = raw.date_sec;
  info.date_nsec = raw.date_nsec;
  info.vm_clock_nsec = raw.vm_clock_nsec;
  info.vm_state_size = extra.size() >= 8 ? load<be64>(bytes_of(extra)) : raw.vm_state_size;
  // Version 2 may leave it out; the disk could not be resized then while it had snapshots.
  info.disk_size = extra.size() >= 16 ? load<be64>(bytes_of(extra), 8).value() : header.size;
  return snapshot;
}

Snapshot read_snapshot(const Disk& file, std::uint64_t offset, std::size_t index,
                       const Header& header) {
  const auto raw = read_table<RawSnapshot>(file, offset, 1, sizeof(RawSnapshot), layer,
                                           "snapshot table entry")[0];
  validate(raw, index, header);
  const std::uint64_t tail_length =
      std::uint64_t{raw.extra_length} + raw.id_length + raw.name_length;
  const auto tail = read_table<std::byte>(file, offset + sizeof(raw), tail_length, tail_length,
                                          layer, "snapshot table entry");
  Snapshot snapshot = translate(raw, text_of(tail), header);
  snapshot.table_length = round_up(offset + sizeof(raw) + tail_length, 8) - header.snapshots_offset;
  return snapshot;
}

}  // namespace

std::vector<Snapshot> read_snapshots(const Disk& file, const Header& header) {
  std::vector<Snapshot> snapshots;
  std::uint64_t length = 0;
  // Bounded by max_snapshots, which the header was checked for.
  for (std::size_t index = 0; index < header.snapshot_count; ++index) {
    snapshots.push_back(read_snapshot(file, header.snapshots_offset + length, index, header));
    length = snapshots.back().table_length;
    if (length > max_snapshot_bytes) {
      throw_corrupt(layer, fmt::format("snapshot table is longer than {:#x} bytes at entry {}",
                                       max_snapshot_bytes, index));
    }
  }
  return snapshots;
}

const Snapshot& find_snapshot(const std::vector<Snapshot>& snapshots, std::string_view id_or_name) {
  auto found = std::ranges::find_if(
      snapshots, [&](const Snapshot& snapshot) { return snapshot.info.id == id_or_name; });
  if (found == snapshots.end()) {
    found = std::ranges::find_if(
        snapshots, [&](const Snapshot& snapshot) { return snapshot.info.name == id_or_name; });
  }
  if (found != snapshots.end()) {
    return *found;
  }
  std::string names;
  for (const Snapshot& snapshot : snapshots) {
    names +=
        fmt::format("{}{} ({})", names.empty() ? "" : ", ", snapshot.info.name, snapshot.info.id);
  }
  throw_error(ENOENT, layer,
              fmt::format("no snapshot \"{}\"; the image has {}", id_or_name,
                          names.empty() ? "none" : names));
}

}  // namespace vimg::qcow2
