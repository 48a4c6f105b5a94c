#include "formats/vmdk_image.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/escape.h"
#include "formats/vmdk_layout.h"

namespace vimg::vmdk {
namespace {

constexpr std::array<std::string_view, 6> host_device_types{
    "fullDevice", "partitionedDevice", "vmfsRaw",
    "vmfsRDM",    "vmfsRawDeviceMap",  "vmfsPassthroughRawDeviceMap"};
constexpr std::array<std::string_view, 6> extent_types{"FLAT", "SPARSE",     "ZERO",
                                                       "VMFS", "VMFSSPARSE", "SESPARSE"};

void refuse_host_device(const Descriptor& descriptor) {
  if (std::ranges::find(host_device_types, descriptor.create_type) != host_device_types.end()) {
    throw_error(
        EACCES, layer,
        fmt::format(
            "the createType {} makes the disk a device of the host{}, which an "
            "image may not name",
            in_quotes(descriptor.create_type),
            descriptor.extents.empty() ? "" : ", " + in_quotes(descriptor.extents[0].name)));
  }
}

// Of a descriptor whose extents are the disk.
void validate_extents(const Descriptor& descriptor) {
  if (descriptor.create_type.empty()) {
    throw_corrupt(layer, "the descriptor has no createType");
  }
  if (descriptor.extents.empty()) {
    throw_corrupt(layer, "the descriptor has no extents");
  }
  std::uint64_t sectors = 0;
  for (const ExtentLine& extent : descriptor.extents) {
    if (extent.access != ExtentLine::Access::none &&
        std::ranges::find(extent_types, extent.type) == extent_types.end()) {
      throw_unsupported(layer, fmt::format("an extent of the type {}", in_quotes(extent.type)));
    }
    sectors += extent.sectors;  // each is at most max_sectors, so the sum cannot wrap
    if (sectors > max_sectors) {
      throw_corrupt(layer, fmt::format("extents of more than {:#x} sectors", max_sectors));
    }
  }
}

}  // namespace

std::uint64_t VmdkImage::size() const noexcept {
  if (sparse) {
    return sparse->capacity;
  }
  std::uint64_t sectors = 0;
  for (const ExtentLine& extent : descriptor.extents) {
    sectors += extent.sectors;
  }
  return sectors * sector;
}

std::string VmdkImage::create_type() const {
  if (!descriptor.create_type.empty()) {
    return descriptor.create_type;
  }
  if (sparse && sparse->kind == SparseLayout::Kind::cowd) {
    return "vmfsSparse";
  }
  return sparse && sparse->is_compressed ? "streamOptimized" : "monolithicSparse";
}

VmdkImage read_image(const Disk& file) {
  VmdkImage image;
  if (sparse_magic_of(file) == SparseMagic::none) {
    image.place = DescriptorPlace{0, file.size()};
  } else {
    image.sparse = read_sparse_layout(file);
    image.place = image.sparse->descriptor;
  }
  if (image.place) {
    image.descriptor = parse_descriptor(read_descriptor(file, *image.place));
    refuse_host_device(image.descriptor);
  }
  if (image.sparse && image.sparse->capacity == 0 && !image.descriptor.extents.empty()) {
    image.sparse.reset();
  }
  if (!image.sparse) {
    validate_extents(image.descriptor);
  } else if (image.descriptor.extents.size() > 1) {
    throw_unsupported(layer, "a sparse extent whose descriptor names more extents");
  }
  return image;
}

}  // namespace vimg::vmdk
