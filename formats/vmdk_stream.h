// Writing VMDK stream-optimized images: compressed grains, each table behind its grains.
#pragma once

#include <cstdint>
#include <vector>

#include "disk/disk.h"
#include "formats/vmdk_create.h"

namespace vimg::vmdk {

// One thread.
class StreamWriter {
 public:
  // `file` is empty, and must outlive it.
  StreamWriter(Disk& file, NewDisk disk);

  // Adds a grain.  `first_sector`, on the disk, is larger than that of the call before.
  void append(std::uint64_t first_sector, ConstBytes zlib_stream);
  // Writes the directory and the footer, and the header last, so that it is no image before.
  void finish();

 private:
  void write_sectors(ConstBytes data);
  void write_marker(MarkerType type, std::uint64_t sectors);
  void write_table();

  Disk& file_;
  const NewDisk disk_;
  std::uint64_t end_;  // bytes: where the file ends
  std::uint64_t table_index_ = 0;
  bool table_is_used_ = false;
  std::vector<le32> table_;
  std::vector<le32> directory_;
};

}  // namespace vimg::vmdk
