// A VMDK file as what it says of itself, before anything that it refers to is opened.
#pragma once

#include <optional>

#include "formats/vmdk_descriptor.h"
#include "formats/vmdk_header.h"

namespace vimg::vmdk {

struct VmdkImage {
  Descriptor descriptor;                 // empty when the file has none
  std::optional<DescriptorPlace> place;  // of the descriptor in the file
  // The file is a sparse extent, and the whole disk; else the descriptor's extents are.
  std::optional<SparseLayout> sparse;

  // Bytes of the disk.
  std::uint64_t size() const noexcept;
  bool has_parent() const noexcept { return !descriptor.parent_name.empty(); }
  // As the descriptor has it, or as the header lets it be known.
  std::string create_type() const;
};

// Throws Error(EUCLEAN, EOPNOTSUPP), and Error(EACCES) for a disk that is a device of the host.
VmdkImage read_image(const Disk& file);

}  // namespace vimg::vmdk
