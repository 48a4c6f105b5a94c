// Device names: what a guest calls its disks, partitions and logical volumes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace vimg {

// A disk by its place among the guest's disks, and perhaps one of its partitions.
struct DeviceName {
  std::size_t disk;  // 0 for /dev/sda, /dev/vda, /dev/nvme0n1 …
  std::optional<unsigned> partition;
};

// The disk that `path` names as Linux does: /dev/sdb3, /dev/vda, /dev/hdc1, /dev/xvda1, /dev/ubda1,
// /dev/nvme0n1p2, /dev/mmcblk0p1.  Nothing for any other name.
std::optional<DeviceName> parse_device_name(std::string_view path);

// The name of a logical volume under /dev/mapper: hyphens of the two names are doubled.
std::string mapper_name(std::string_view group, std::string_view volume);

// `text` with udev's \xNN (in links under /dev/disk) turned back into bytes.
std::string decode_udev(std::string_view text);

}  // namespace vimg
