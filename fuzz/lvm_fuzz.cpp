// The input is a disk, read as it is and once more with checksums made right; what follows the
// first 8 KiB is also read as a text that names the disk's PV.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/memory_disk.h"
#include "lvm/checksum.h"
#include "lvm/lvm.h"
#include "lvm/metadata.h"

namespace {

using namespace vimg;

constexpr std::size_t label_offset = 512;
constexpr std::size_t area_offset = 4096;
constexpr std::size_t sector = 512;

void check_group(const VolumeGroup& group) {
  for (const LogicalVolume& volume : group.volumes) {
    if (volume.disk && volume.disk->size() != volume.size) {
      std::abort();
    }
    if (volume.disk) {
      std::byte last{};
      volume.disk->read(volume.size - 1, Bytes(&last, 1));
    }
  }
}

void check_disk(const std::vector<std::byte>& content, const std::string& text) {
  const DiskPtr disk = make_memory_disk(content);
  try {
    auto pv = read_physical_volume(*disk).value_or(PhysicalVolume{});
    if (!text.empty()) {
      const VgMetadata metadata = parse_metadata(text);
      pv.uuid = metadata.pvs.empty() ? "" : metadata.pvs.front().uuid;
      pv.vg_uuid = metadata.uuid;
      pv.metadata = text;
    }
    std::vector<std::string> problems;
    for (const VolumeGroup& group : assemble_volume_groups({{pv, disk}}, problems)) {
      check_group(group);
    }
  } catch (const Error&) {
    return;
  }
}

void fix_checksums(std::vector<std::byte>& disk) {
  if (disk.size() < area_offset + sector) {
    return;
  }
  const Bytes label = Bytes(disk).subspan(label_offset, sector);
  store(label, 16, le32(lvm_checksum(label.subspan(20))));
  const Bytes area = Bytes(disk).subspan(area_offset);
  const std::uint64_t offset = load<le64>(area, 40);
  const std::uint64_t length = load<le64>(area, 48);
  if (fits(offset, length, area.size())) {
    store(area, 56, le32(lvm_checksum(area.subspan(offset, length))));
  }
  store(area, 0, le32(lvm_checksum(area.first(sector).subspan(4))));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t max_input = 64U << 10;
  constexpr std::size_t text_offset = 8U << 10;
  if (size > max_input) {
    return -1;
  }
  const auto bytes = std::as_bytes(std::span(data, size));
  std::vector<std::byte> disk(bytes.begin(), bytes.end());
  check_disk(disk, {});
  fix_checksums(disk);
  check_disk(disk, {});
  if (size > text_offset) {
    check_disk(disk, std::string(text_of(ConstBytes(disk).subspan(text_offset))));
  }
  return 0;
}
