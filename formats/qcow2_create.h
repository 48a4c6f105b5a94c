// Creating qcow2 images.
#pragma once

#include <cstdint>
#include <string_view>

#include "disk/disk.h"
#include "formats/create.h"

namespace vimg {

// As FormatDriver::create, with QEMU's options but those for encryption and data files.
namespace qcow2 {
void create(Disk& file, NewImage image);
}

// Makes `file`, which must be empty and resizable, a version 3 image of `size` bytes with 64 KiB
// clusters that reads as `backing_file`, and flushes it.  The backing file is not looked at.
// Throws Error(EINVAL) when the name is empty or longer than 1023 bytes, the format's longer than
// 15, or `size` beyond what one L1 table of 32 MiB maps (2 PiB); else as Disk::write.
void create_qcow2_overlay(Disk& file, std::string_view backing_file,
                          std::string_view backing_format, std::uint64_t size);

}  // namespace vimg
