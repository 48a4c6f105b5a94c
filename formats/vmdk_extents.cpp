#include "formats/vmdk_extents.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/escape.h"
#include "disk/slice.h"
#include "formats/vmdk_disk.h"
#include "formats/vmdk_layout.h"
#include "formats/vmdk_se_sparse.h"
#include "formats/vmdk_sparse.h"

namespace vimg::vmdk {
namespace {

// An extent without content, of the types ZERO and NOACCESS.
class EmptyExtent final : public Disk {
 public:
  EmptyExtent(std::uint64_t size, ExtentLine::Access access) : size_(size), access_(access) {}
  std::uint64_t size() const noexcept override { return size_; }

 private:
  void do_read(std::uint64_t, Bytes out) const override {
    if (access_ == ExtentLine::Access::none) {
      throw_unsupported(layer, "this part of the disk is an extent that is marked NOACCESS");
    }
    std::ranges::fill(out, std::byte{0});
  }
  Extent do_extent(std::uint64_t, std::uint64_t max) const override {
    return {max, access_ == ExtentLine::Access::none ? Extent::Kind::data : Extent::Kind::hole};
  }

  const std::uint64_t size_;
  const ExtentLine::Access access_;
};

class Opener {
 public:
  Opener(const VmdkImage& image, OpenContext& context)
      : image_(image), context_(context), files_(context) {}

  VmdkDisk::Parts open(const DiskPtr& file);

 private:
  DiskPtr open_parent();
  void check_parent(const Disk& parent) const;
  DiskPtr open_extent(const ExtentLine& line, std::uint64_t begin);
  DiskPtr open_sparse_extent(const DiskPtr& file, const SparseLayout& layout, std::uint64_t begin);
  DiskPtr open_named_sparse(const ExtentLine& line, std::uint64_t begin);
  DiskPtr open_se_sparse_extent(const ExtentLine& line, std::uint64_t begin);
  DiskPtr parent_from(std::uint64_t begin, std::uint64_t length) const;
  void keep_read_only(const char* reason);
  std::uint64_t cache_share() const noexcept;

  const VmdkImage& image_;
  OpenContext& context_;
  ExtentFiles files_;
  DiskPtr parent_;
  bool is_read_only_ = false;
};

VmdkDisk::Parts Opener::open(const DiskPtr& file) {
  parent_ = open_parent();
  VmdkDisk::Parts parts;
  if (image_.sparse) {
    parts.extents.push_back(open_sparse_extent(file, *image_.sparse, 0));
  } else {
    std::uint64_t begin = 0;
    for (const ExtentLine& line : image_.descriptor.extents) {
      parts.extents.push_back(open_extent(line, begin));
      begin += line.sectors * sector;
    }
  }
  parts.cid = image_.descriptor.cid;
  if (context_.access() == Access::read_write && !is_read_only_) {
    parts.content_id =
        std::make_unique<ContentId>(file, image_.place.value_or(DescriptorPlace{0, 0}));
  }
  return parts;
}

DiskPtr Opener::open_parent() {
  const Descriptor& descriptor = image_.descriptor;
  if (!image_.has_parent()) {
    if (descriptor.parent_cid != no_parent_cid) {
      throw_corrupt(layer, fmt::format("the image lies on a parent with CID {:08x}, and does not "
                                       "name it",
                                       descriptor.parent_cid));
    }
    return nullptr;
  }
  DiskPtr parent = context_.open_image(descriptor.parent_name, "vmdk");
  check_parent(*parent);
  return parent;
}

// As QEMU does, which does not read from a parent that is not the one that was meant.
void Opener::check_parent(const Disk& parent) const {
  const Descriptor& descriptor = image_.descriptor;
  const auto* const vmdk = dynamic_cast<const VmdkDisk*>(&parent);
  const std::optional<std::uint32_t> cid = vmdk != nullptr ? vmdk->cid() : std::nullopt;
  if (cid != descriptor.parent_cid) {
    throw_corrupt(layer, fmt::format("the parent {} has {}, expected CID {:08x}: it was changed "
                                     "since this image was made, or is another one",
                                     in_quotes(descriptor.parent_name),
                                     cid ? fmt::format("CID {:08x}", *cid) : "no CID",
                                     descriptor.parent_cid));
  }
}

// What the parent holds of the extent; nullptr when that is nothing.
DiskPtr Opener::parent_from(std::uint64_t begin, std::uint64_t length) const {
  if (!parent_ || begin >= parent_->size()) {
    return nullptr;
  }
  return make_slice(parent_, begin, std::min(length, parent_->size() - begin));
}

void Opener::keep_read_only(const char* reason) {
  if (context_.access() == Access::read_write && !std::exchange(is_read_only_, true)) {
    context_.warn(fmt::format("vmdk: {} can only be read", reason));
  }
}

std::uint64_t Opener::cache_share() const noexcept {
  return context_.cache_bytes() / std::max<std::size_t>(image_.descriptor.extents.size(), 1);
}

DiskPtr Opener::open_sparse_extent(const DiskPtr& file, const SparseLayout& layout,
                                   std::uint64_t begin) {
  if (layout.is_unclean) {
    context_.warn("vmdk: the image was not closed properly; what was written last may be lost");
  }
  if (layout.is_compressed) {
    keep_read_only("a compressed image");
  } else if (layout.kind == SparseLayout::Kind::hosted && layout.version == 3) {
    keep_read_only("an image of version 3, whose changes are tracked,");
  }
  DiskPtr backing = parent_from(begin, layout.capacity);
  if (context_.access() == Access::read_write && !is_read_only_) {
    return open_writable_sparse(layout, file, std::move(backing), cache_share());
  }
  return open_sparse(layout, file, std::move(backing), cache_share());
}

// As much of `disk` as the line says.
DiskPtr cut_to_line(DiskPtr disk, const ExtentLine& line, std::uint64_t offset) {
  const std::uint64_t length = line.sectors * sector;
  if (!fits(offset, length, disk->size())) {
    throw_corrupt(layer, fmt::format("the extent {} holds {:#x} bytes, the descriptor needs {:#x} "
                                     "(+{:#x}) of it",
                                     in_quotes(line.name), disk->size(), offset, length));
  }
  if (offset != 0 || length != disk->size()) {
    disk = make_slice(std::move(disk), offset, length);
  }
  return line.access == ExtentLine::Access::read_only ? make_read_only(std::move(disk)) : disk;
}

DiskPtr Opener::open_named_sparse(const ExtentLine& line, std::uint64_t begin) {
  const DiskPtr file = files_.open(line.name);
  if (sparse_magic_of(*file) == SparseMagic::none) {
    throw_corrupt(layer, "the file has no signature of a sparse extent");
  }
  return open_sparse_extent(file, read_sparse_layout(*file), begin);
}

DiskPtr Opener::open_se_sparse_extent(const ExtentLine& line, std::uint64_t begin) {
  keep_read_only("a seSparse image");
  return open_se_sparse(files_.open(line.name), parent_from(begin, line.sectors * sector),
                        cache_share());
}

DiskPtr Opener::open_extent(const ExtentLine& line, std::uint64_t begin) {
  if (line.type == "ZERO" || line.access == ExtentLine::Access::none) {
    return std::make_shared<EmptyExtent>(line.sectors * sector, line.access);
  }
  const auto open = [&] {
    if (line.type == "FLAT" || line.type == "VMFS") {
      return files_.open(line.name);
    }
    return line.type == "SESPARSE" ? open_se_sparse_extent(line, begin)
                                   : open_named_sparse(line, begin);
  };
  const bool is_flat = line.type == "FLAT" || line.type == "VMFS";
  return cut_to_line(within(in_quotes(line.name), open), line,
                     is_flat ? line.offset_sectors * sector : 0);
}

}  // namespace

DiskPtr ExtentFiles::open(const std::string& name) {
  DiskPtr& file = files_[name];
  if (!file) {
    file = context_.open_file(name);
  }
  return file;
}

DiskPtr open_image_disk(const VmdkImage& image, const DiskPtr& file, OpenContext& context) {
  return std::make_shared<VmdkDisk>(Opener(image, context).open(file));
}

}  // namespace vimg::vmdk
