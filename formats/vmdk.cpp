// VMDK: the format of VMware, of ESX and of VirtualBox' exports.
#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/escape.h"
#include "formats/driver.h"
#include "formats/vmdk_check.h"
#include "formats/vmdk_create.h"
#include "formats/vmdk_extents.h"
#include "formats/vmdk_image.h"
#include "formats/vmdk_layout.h"

namespace vimg::vmdk {
namespace {

constexpr std::size_t probed_bytes = 512;  // as many as QEMU looks at
constexpr std::size_t max_listed_extents = 64;

bool probe(const Disk& file) {
  if (sparse_magic_of(file) != SparseMagic::none) {
    return true;
  }
  std::string head(std::min<std::uint64_t>(probed_bytes, file.size()), '\0');
  file.read(0, std::as_writable_bytes(std::span(head)));
  return begins_as_descriptor(head);
}

DiskPtr open_disk(DiskPtr file, OpenContext& context) {
  if (!context.snapshot().empty()) {
    throw_error(EINVAL, layer, "has no internal snapshots");
  }
  const VmdkImage image = read_image(*file);
  if (!image.place) {
    context.warn("vmdk: the file has no descriptor; it may be one of several extents of a disk");
  }
  return open_image_disk(image, file, context);
}

std::string extent_text(const ExtentLine& extent) {
  const char* const access = extent.access == ExtentLine::Access::read_write  ? "RW"
                             : extent.access == ExtentLine::Access::read_only ? "RDONLY"
                                                                              : "NOACCESS";
  std::string text =
      fmt::format("{} {} {} bytes", access, printable(extent.type), extent.sectors * sector);
  if (!extent.name.empty()) {
    text += " " + in_quotes(extent.name);
  }
  if (extent.offset_sectors != 0) {
    text += fmt::format(" from {}", extent.offset_sectors * sector);
  }
  return text;
}

ImageInfo info(const Disk& file) {
  const VmdkImage image = read_image(file);
  ImageInfo info;
  info.format = "vmdk";
  info.virtual_size = image.size();
  if (image.has_parent()) {
    info.backing_file = image.descriptor.parent_name;
    info.backing_format = "vmdk";
  }
  info.facts.emplace_back("create type", printable(image.create_type()));
  if (image.descriptor.cid) {
    info.facts.emplace_back("cid", fmt::format("{:08x}", *image.descriptor.cid));
    info.facts.emplace_back("parent cid", fmt::format("{:08x}", image.descriptor.parent_cid));
  }
  if (image.sparse) {
    info.facts.emplace_back("version", std::to_string(image.sparse->version));
    info.facts.emplace_back("cluster size", std::to_string(image.sparse->grain_size));
    info.facts.emplace_back("compressed", image.sparse->is_compressed ? "true" : "false");
    info.facts.emplace_back("zeroed grains", image.sparse->has_zeroed_grains ? "true" : "false");
    info.facts.emplace_back("unclean shutdown", image.sparse->is_unclean ? "true" : "false");
    return info;
  }
  const auto& extents = image.descriptor.extents;
  info.facts.emplace_back("extents", std::to_string(extents.size()));
  for (std::size_t i = 0; i < std::min(extents.size(), max_listed_extents); ++i) {
    info.facts.emplace_back(fmt::format("extent {}", i), extent_text(extents[i]));
  }
  return info;
}

}  // namespace
}  // namespace vimg::vmdk

namespace vimg {

extern const FormatDriver vmdk_driver;
const FormatDriver vmdk_driver{"vmdk",
                               "VMware, ESX and VirtualBox exports",
                               vmdk::probe,
                               vmdk::open_disk,
                               vmdk::info,
                               vmdk::create_image,
                               vmdk::begin_stream,
                               vmdk::check_image};

}  // namespace vimg
