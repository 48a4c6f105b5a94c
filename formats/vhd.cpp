// vpc: Virtual PC's and Hyper-V's VHD images, fixed, dynamic and differencing.
#include <memory>
#include <string>
#include <utility>

#include "disk/error.h"
#include "disk/slice.h"
#include "formats/block_disk.h"
#include "formats/driver.h"
#include "formats/vhd_check.h"
#include "formats/vhd_create.h"
#include "formats/vhd_layout.h"
#include "formats/vhd_map.h"
#include "formats/vhd_parent.h"

namespace vimg::vhd {
namespace {

DiskPtr open_blocks(const Header& header, DiskPtr file, OpenContext& context) {
  BlockDiskParts parts;
  parts.size = header.size;
  parts.file = file;
  if (header.type() == type_differencing) {
    parts.backing = open_parent(*file, header, context);
  }
  const bool writes = context.access() == Access::read_write && file->writable();
  auto map = std::make_unique<VhdMap>(header, std::move(file), context.cache_bytes());
  return writes ? make_writable_block_disk(std::move(map), std::move(parts))
                : make_block_disk(std::move(map), std::move(parts));
}

DiskPtr open(DiskPtr file, OpenContext& context) {
  if (!context.snapshot().empty()) {
    throw_error(EINVAL, layer, "has no internal snapshots");
  }
  const Header header = read_header(*file);
  if (header.footer_is_missing) {
    context.warn("vhd: the footer at the end is missing or broken; its copy is used");
  }
  if (header.footer.saved_state != 0) {
    context.warn("vhd: the virtual machine was saved while it ran; the disk may not be consistent");
  }
  if (!header.is_fixed()) {
    return open_blocks(header, std::move(file), context);
  }
  DiskPtr disk = make_slice(std::move(file), 0, header.size);
  return context.access() == Access::read_write ? disk : make_read_only(std::move(disk));
}

ImageInfo info(const Disk& file) {
  const Header header = read_header(file);
  ImageInfo info;
  info.format = "vpc";
  info.virtual_size = header.size;
  info.facts.emplace_back("image type", header.is_fixed()               ? "fixed"
                                        : header.type() == type_dynamic ? "dynamic"
                                                                        : "differencing");
  info.facts.emplace_back("creator",
                          std::string(header.footer.creator.data(), header.footer.creator.size()));
  if (!header.is_fixed()) {
    info.facts.emplace_back("cluster size", std::to_string(header.block_size));
  }
  if (header.type() == type_differencing) {
    info.backing_file = parent_name(header);
    info.backing_format = "vpc";
  }
  return info;
}

}  // namespace
}  // namespace vimg::vhd

namespace vimg {

extern const FormatDriver vpc_driver;
const FormatDriver vpc_driver{"vpc",           "Virtual PC's and Hyper-V's VHD images",
                              vhd::has_footer, vhd::open,
                              vhd::info,       vhd::create,
                              nullptr,         vhd::check};

}  // namespace vimg
